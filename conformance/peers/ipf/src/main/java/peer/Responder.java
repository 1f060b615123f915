package peer;

import java.beans.PropertyChangeListener;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Set;
import javax.xml.namespace.QName;
import org.apache.camel.Processor;
import org.apache.camel.builder.RouteBuilder;
import org.apache.camel.impl.DefaultCamelContext;
import org.apache.catalina.Context;
import org.apache.catalina.Loader;
import org.apache.catalina.connector.Connector;
import org.apache.catalina.startup.Tomcat;
import org.apache.cxf.BusFactory;
import org.apache.cxf.binding.soap.SoapMessage;
import org.apache.cxf.binding.soap.interceptor.AbstractSoapInterceptor;
import org.apache.cxf.phase.Phase;
import org.apache.cxf.transport.servlet.CXFNonSpringServlet;
import org.apache.tomcat.util.net.SSLHostConfig;
import org.apache.tomcat.util.net.SSLHostConfigCertificate;
import org.springframework.util.FileSystemUtils;

/** IPF as responder over mutual TLS: embedded Tomcat, the CXF servlet, one Camel route per transaction. */
final class Responder {
    private static final String SECURITY =
            "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd";
    /** JAXP and JAXB look their factories up anew on every call, under locks, unless they are named. */
    private static final Map<String, String> FACTORIES = Map.of(
            "javax.xml.parsers.DocumentBuilderFactory", "com.sun.org.apache.xerces.internal.jaxp.DocumentBuilderFactoryImpl",
            "javax.xml.parsers.SAXParserFactory", "com.sun.org.apache.xerces.internal.jaxp.SAXParserFactoryImpl",
            "javax.xml.transform.TransformerFactory", "net.sf.saxon.TransformerFactoryImpl",
            "javax.xml.stream.XMLInputFactory", "com.ctc.wstx.stax.WstxInputFactory",
            "javax.xml.stream.XMLOutputFactory", "com.ctc.wstx.stax.WstxOutputFactory",
            "jakarta.xml.bind.JAXBContextFactory", "org.glassfish.jaxb.runtime.v2.JAXBContextFactory",
            "javax.xml.stream.XMLEventFactory", "com.ctc.wstx.stax.WstxEventFactory");

    private Responder() {}

    /** What answers one request. */
    interface Answers {
        Processor to(Transaction transaction);
    }

    /** Serves until the process is ended; prints {@code ready URL} once it accepts. */
    static void serve(int port, Demo demo, boolean validate, Answers answers) throws Exception {
        FACTORIES.forEach(System::setProperty);
        var tomcat = new Tomcat();
        tomcat.setBaseDir(scratch().toString());
        tomcat.setSilent(true);
        var connector = connector(port, demo);
        tomcat.getService().addConnector(connector);
        tomcat.setConnector(connector);
        var context = tomcat.addContext("", null);
        // Tomcat's own class loader locks on every look-up, and CXF looks up on every request.
        context.setLoader(new ApplicationLoader());
        var servlet = new CXFNonSpringServlet();
        servlet.setBus(BusFactory.getDefaultBus());
        Tomcat.addServlet(context, "cxf", servlet).setLoadOnStartup(1);
        context.addServletMappingDecoded("/*", "cxf");
        tomcat.start();

        var camel = new DefaultCamelContext();
        camel.getRegistry().bind("understands", new UnderstandsSecurity());
        camel.addRoutes(new RouteBuilder() {
            @Override
            public void configure() {
                errorHandler(noErrorHandler());
                for (var transaction : Transaction.values()) {
                    var route = from(transaction.component() + ":" + transaction.ownPath()
                            + "?audit=false&inInterceptors=#understands").routeId(transaction.name());
                    if (validate) {
                        route.process(transaction.requestValidator()).process(answers.to(transaction))
                                .process(transaction.responseValidator());
                    } else {
                        route.process(answers.to(transaction));
                    }
                }
            }
        });
        camel.start();
        System.out.println("ready https://localhost:" + connector.getLocalPort());
        tomcat.getServer().await();
    }

    /** A folder for Tomcat that goes when the process ends. */
    private static Path scratch() throws IOException {
        var folder = Files.createTempDirectory("ipf-responder");
        Runtime.getRuntime().addShutdownHook(new Thread(() -> FileSystemUtils.deleteRecursively(folder.toFile())));
        return folder;
    }

    private static Connector connector(int port, Demo demo) throws Exception {
        var pki = demo.folder().resolve("pki");
        var tls = new SSLHostConfig();
        tls.setProtocols("TLSv1.3");
        tls.setCertificateVerification("required");
        tls.setTrustStore(Pem.trust(pki.resolve("ca.pem")));
        var certificate = new SSLHostConfigCertificate(tls, SSLHostConfigCertificate.Type.UNDEFINED);
        certificate.setCertificateKeystore(Pem.keys(Pem.Identity.read(pki, "server")));
        certificate.setCertificateKeyPassword("");
        certificate.setCertificateKeyAlias("peer");
        tls.addCertificate(certificate);
        var connector = new Connector("org.apache.coyote.http11.Http11NioProtocol");
        connector.setPort(port);
        connector.setScheme("https");
        connector.setSecure(true);
        connector.setProperty("SSLEnabled", "true");
        connector.setProperty("address", "127.0.0.1");
        connector.setProperty("maxThreads", "32");
        connector.setProperty("maxKeepAliveRequests", "-1");
        connector.addSslHostConfig(tls);
        return connector;
    }

    /** Declares the WS-Security header understood, which CXF would refuse otherwise. */
    private static final class UnderstandsSecurity extends AbstractSoapInterceptor {
        UnderstandsSecurity() {
            super(Phase.PRE_PROTOCOL);
        }

        @Override
        public Set<QName> getUnderstoodHeaders() {
            return Set.of(new QName(SECURITY, "Security"));
        }

        @Override
        public void handleMessage(SoapMessage message) {
            // Being listed is all that is needed; the routes read the header.
        }
    }

    /** Gives the servlet the loader of this program. */
    private static final class ApplicationLoader implements Loader {
        private Context context;

        @Override
        public void backgroundProcess() {
            // Nothing is reloaded.
        }

        @Override
        public ClassLoader getClassLoader() {
            return Responder.class.getClassLoader();
        }

        @Override
        public Context getContext() {
            return context;
        }

        @Override
        public void setContext(Context context) {
            this.context = context;
        }

        @Override
        public boolean getDelegate() {
            return true;
        }

        @Override
        public void setDelegate(boolean delegate) {
            // There is only one loader.
        }

        @Override
        public void addPropertyChangeListener(PropertyChangeListener listener) {
            // No property changes.
        }

        @Override
        public boolean modified() {
            return false;
        }

        @Override
        public void removePropertyChangeListener(PropertyChangeListener listener) {
            // No property changes.
        }
    }

}
