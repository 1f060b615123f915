package peer;

import java.io.IOException;
import java.net.URI;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import javax.net.ssl.SSLContext;
import org.apache.camel.CamelContext;
import org.apache.camel.Exchange;
import org.apache.camel.ProducerTemplate;
import org.apache.camel.impl.DefaultCamelContext;
import org.apache.camel.support.DefaultExchange;
import org.apache.camel.support.jsse.SSLContextParameters;
import org.apache.cxf.binding.soap.SoapFault;
import org.apache.cxf.binding.soap.SoapHeader;
import org.apache.cxf.transport.http.HTTPException;
import org.apache.cxf.transports.http.configuration.HTTPClientPolicy;
import org.openehealth.ipf.commons.core.modules.api.ValidationException;
import org.openehealth.ipf.platform.camel.ihe.ws.AbstractWsEndpoint;
import org.xml.sax.SAXException;

/** IPF's producers against one target, as several identities, validating what is sent and what comes. */
final class Client implements AutoCloseable {
    private final CamelContext camel = new DefaultCamelContext();
    private final ProducerTemplate template;
    private final URI target;
    private final boolean own;
    private long nanoseconds;

    /**
     * Starts the clients.
     *
     * @param own         the target is our own responder, with one address for each transaction
     * @param readsHttp400 tell CXF to read SOAP faults that come with status 400 (off as CXF comes)
     */
    Client(URI target, boolean own, boolean readsHttp400) {
        this.target = target;
        this.own = own;
        var policy = new HTTPClientPolicy();
        policy.setVersion("1.1");
        policy.setConnectionTimeout(3_000);
        policy.setReceiveTimeout(30_000);
        camel.getRegistry().bind("policy", policy);
        camel.getRegistry().bind("tap", new Wiretap());
        var http = Map.<String, Object>of("org.apache.cxf.transport.process_fault_on_http_400", readsHttp400);
        var schemas = new HashMap<String, Object>(http);
        schemas.put("schema-validation-enabled", true);
        camel.getRegistry().bind("hl7Properties", Map.class, http);
        camel.getRegistry().bind("xdsProperties", Map.class, schemas);
        camel.start();
        template = camel.createProducerTemplate();
    }

    /** Makes {@code name} usable as a caller; a null identity comes without client certificate. */
    void identity(String name, Pem.Identity identity, Path authorities) throws IOException, GeneralSecurityException {
        var context = Pem.context(identity, authorities);
        camel.getRegistry().bind("tls-" + name, new SSLContextParameters() {
            @Override
            public SSLContext createSSLContext(CamelContext ignored) {
                return context;
            }
        });
    }

    /** Sends one request; never throws for what the target does. */
    Reply call(Transaction transaction, String identity, Object request, SoapHeader... headers) {
        var exchange = new DefaultExchange(camel);
        exchange.getIn().setBody(request);
        try {
            transaction.requestValidator().process(exchange);
        } catch (Exception error) {
            throw new IllegalStateException(transaction.number() + ": our own request is not valid: " + error, error);
        }
        if (headers.length > 0) {
            exchange.getIn().setHeader(AbstractWsEndpoint.OUTGOING_SOAP_HEADERS, List.of(headers));
        }
        Wiretap.take();
        var start = System.nanoTime();
        template.send(endpoint(transaction, identity), exchange);
        nanoseconds += System.nanoTime() - start;
        return reply(transaction, exchange, Wiretap.take());
    }

    /** Forgets the time of earlier calls. */
    void resetClock() {
        nanoseconds = 0;
    }

    /** Time from request to answer of the calls since then. */
    double milliseconds() {
        return nanoseconds / 1e6;
    }

    private String endpoint(Transaction transaction, String identity) {
        var path = own ? "/" + transaction.ownPath() : transaction.path();
        return transaction.component() + "://" + target.getAuthority() + path
                + "?sslContextParameters=#tls-" + identity + "&httpClientPolicy=#policy&inInterceptors=#tap"
                + "&properties=" + (transaction.xds() ? "#xdsProperties" : "#hl7Properties") + "&audit=false";
    }

    private static Reply reply(Transaction transaction, Exchange exchange, Wiretap.Taken taken) {
        int status = taken == null ? 0 : taken.status();
        var trouble = new ArrayList<String>();
        var faults = new ArrayList<String>();
        var error = exchange.getException();
        if (error != null && fromWire(taken) && cause(error, SoapFault.class) instanceof SoapFault fault) {
            faults.add(fault.getFaultCode().getLocalPart());
            if (fault.getSubCodes() != null) {
                fault.getSubCodes().forEach(code -> faults.add(code.getLocalPart()));
            }
        } else if (error != null && cause(error, HTTPException.class) instanceof HTTPException http) {
            return new Reply(null, faults, http.getResponseCode(), List.of("bare HTTP " + http.getResponseCode()));
        } else if (error != null) {
            return new Reply(null, faults, status, List.of("no usable answer: " + reason(error)));
        }
        try {
            trouble.addAll(taken.complaints(transaction));
        } catch (IOException | SAXException unreadable) {
            trouble.add("unreadable: " + unreadable.getMessage());
        }
        if (error != null) {
            return new Reply(null, faults, status, trouble);
        }
        var body = exchange.getMessage().getBody();
        try {
            var answer = new DefaultExchange(exchange.getContext());
            answer.getIn().setBody(body);
            transaction.responseValidator().process(answer);
        } catch (ValidationException invalid) {
            trouble.add("IPF rejects it: " + reason(invalid));
        } catch (Exception broken) {
            trouble.add("IPF cannot validate it: " + reason(broken));
        }
        return new Reply(body, faults, status, trouble);
    }

    /** Whether the answer carried a fault; CXF also makes faults of its own, e.g. for a schema error. */
    private static boolean fromWire(Wiretap.Taken taken) {
        try {
            return taken != null && Xml.one(taken.envelope(), "Body/Fault") != null;
        } catch (IOException | SAXException unreadable) {
            return false;
        }
    }

    private static Throwable cause(Throwable error, Class<? extends Throwable> kind) {
        for (var at = error; at != null; at = at.getCause()) {
            if (kind.isInstance(at)) {
                return at;
            }
        }
        return null;
    }

    /** The innermost message on one line. */
    private static String reason(Throwable error) {
        var at = error;
        while (at.getCause() != null && at.getCause() != at) {
            at = at.getCause();
        }
        var text = at.getMessage() == null ? at.getClass().getSimpleName() : at.getMessage();
        text = text.replaceAll("\\s+", " ").strip();
        return text.length() > 400 ? text.substring(0, 400) + "…" : text;
    }

    @Override
    public void close() {
        template.stop();
        camel.stop();
    }
}
