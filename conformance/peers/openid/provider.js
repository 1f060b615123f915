// A certified OpenID provider over HTTPS, with the log-in and consent pages that come with it.
//
// `node provider.js ORDER.json`: ORDER says `pem` (key and certificate of localhost), `clients` (as
// registered, OpenID Connect Registration 2), `acr` (what a log-in here is worth) and `accounts`
// (claims by account). Prints `{"issuer": …}` when it answers, and ends with its standard input.

import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import Provider from "oidc-provider";

const order = JSON.parse(readFileSync(process.argv[2], "utf8"));
const pem = readFileSync(order.pem);
const server = createServer({ key: pem, cert: pem });

server.listen(0, "127.0.0.1", () => {
  const issuer = `https://localhost:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients: order.clients,
    acrValues: [order.acr],
    claims: { openid: ["sub", "registration_number"], acr: null, auth_time: null },
    conformIdTokenClaims: false,
    cookies: { keys: ["for one run only"] },
    pkce: { required: () => true },
    findAccount: (_, id) => ({
      accountId: id,
      claims: () => ({ sub: id, ...order.accounts[id] }),
    }),
  });
  // The pages that come with it know no acr: whoever logs in by them gets this one.
  const finish = provider.interactionFinished.bind(provider);
  provider.interactionFinished = (request, response, result, options) =>
    finish(
      request,
      response,
      result.login ? { login: { ...result.login, acr: order.acr } } : result,
      options,
    );
  server.on("request", provider.callback());
  console.log(JSON.stringify({ issuer }));
});

process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
