package peer;

import java.io.PrintStream;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.logging.Level;
import java.util.logging.Logger;

/** The command line: {@code run} plays the clients, {@code respond} the responder. */
final class Main {
    private static final String USAGE = """
            usage: run     --target https://HOST:PORT --demo DIR [--fault-status any|400|500] [--own-responder yes]
                   respond --port N --demo DIR [--validate on|off] [--answers canned|demo] [--fault-status 400|500]
            DIR is what `gateway init DIR --demo` made (pki/ and demo.json).""";
    private static final Set<String> OPTIONS =
            Set.of("--target", "--demo", "--fault-status", "--own-responder", "--port", "--validate", "--answers");

    private Main() {}

    public static void main(String[] arguments) throws Exception {
        // Refused cases are expected: CXF's and Tomcat's traces of them would bury the result.
        Logger.getLogger("").setLevel(Level.SEVERE);
        var options = new HashMap<String, String>();
        for (int at = 1; at + 1 < arguments.length; at += 2) {
            options.put(arguments[at], arguments[at + 1]);
        }
        var known = OPTIONS.containsAll(options.keySet()) && arguments.length % 2 == 1;
        if (known && arguments[0].equals("run") && options.keySet().containsAll(List.of("--target", "--demo"))) {
            try {
                System.exit(run(options) ? 0 : 1);
            } catch (Exception error) {
                // Exit 1 says that a case did not hold; this says that the cases were not all judged.
                error.printStackTrace();
                System.exit(3);
            }
        } else if (known && arguments[0].equals("respond") && options.keySet().containsAll(List.of("--port", "--demo"))) {
            respond(options);
        } else {
            System.err.println(USAGE);
            System.exit(2);
        }
    }

    private static void respond(Map<String, String> options) throws Exception {
        var demo = Demo.read(Path.of(options.get("--demo")));
        var faultStatus = Integer.parseInt(options.getOrDefault("--fault-status", "500"));
        var answers = "demo".equals(options.get("--answers")) ? new Rules(demo, faultStatus) : new Canned(demo);
        Responder.serve(Integer.parseInt(options.get("--port")), demo, !"off".equals(options.get("--validate")), answers);
    }

    private static boolean run(Map<String, String> options) throws Exception {
        var demo = Demo.read(Path.of(options.get("--demo")));
        var wanted = options.getOrDefault("--fault-status", "any");
        int faultStatus = wanted.equals("any") ? 0 : Integer.parseInt(wanted);
        var authorities = demo.folder().resolve("pki/ca.pem");
        var clients = demo.folder().resolve("pki/clients");
        var signer = Pem.Identity.read(demo.folder().resolve("pki/xua"), "neighbour-n");
        var target = URI.create(options.get("--target"));
        try (var client = new Client(target, options.containsKey("--own-responder"), faultStatus != 500)) {
            for (var name : List.of("hospital-a", "clinic-b", "neighbour-n")) {
                client.identity(name, Pem.Identity.read(clients, name), authorities);
            }
            client.identity("nobody", null, authorities);
            var sheet = new Sheet(new PrintStream(System.out, true, StandardCharsets.UTF_8), client);
            new PixCases(demo, client, sheet, signer, faultStatus).run();
            var neighbour = new XcaCases(demo, client, sheet, signer, faultStatus);
            neighbour.run();
            new ProvideCases(demo, client, sheet, neighbour).run();
            return sheet.allHeld();
        }
    }
}
