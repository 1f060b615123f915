package peer;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import org.apache.cxf.interceptor.Fault;
import org.apache.cxf.message.Message;
import org.apache.cxf.phase.AbstractPhaseInterceptor;
import org.apache.cxf.phase.Phase;
import org.apache.cxf.ws.addressing.AddressingProperties;
import org.apache.cxf.ws.addressing.ContextUtils;
import org.w3c.dom.Element;
import org.xml.sax.SAXException;

/** Keeps the bytes and the head of each answer, for the rules that IPF does not check. */
final class Wiretap extends AbstractPhaseInterceptor<Message> {
    private static final String SOAP_12 = "http://www.w3.org/2003/05/soap-envelope";
    private static final Pattern BOUNDARY = Pattern.compile("boundary=\"?([^\";]+)\"?");
    private static final ThreadLocal<Taken> LAST = new ThreadLocal<>();

    Wiretap() {
        super(Phase.RECEIVE);
    }

    /** One answer as it came: status, media type, bytes, and the id of the request it answers. */
    record Taken(int status, String mediaType, byte[] bytes, String requestId) {
        boolean multipart() {
            return mediaType.startsWith("multipart/related");
        }

        /** The envelope: the body itself, or the root part. */
        Element envelope() throws IOException, SAXException {
            return Xml.parse(multipart() ? rootPart() : bytes);
        }

        private byte[] rootPart() throws IOException {
            var match = BOUNDARY.matcher(mediaType);
            if (!match.find()) {
                throw new IOException("multipart answer without boundary");
            }
            var text = new String(bytes, StandardCharsets.ISO_8859_1);
            var delimiter = "--" + match.group(1);
            int start = text.indexOf("\r\n\r\n", text.indexOf(delimiter));
            int end = text.indexOf("\r\n" + delimiter, start);
            if (start < 0 || end < 0) {
                throw new IOException("multipart answer without a complete root part");
            }
            return text.substring(start + 4, end).getBytes(StandardCharsets.ISO_8859_1);
        }

        /** What is wrong with packaging and addressing, each in a few words; empty when all is right. */
        List<String> complaints(Transaction transaction) throws IOException, SAXException {
            var wrong = new ArrayList<String>();
            var type = mediaType.split(";")[0].strip();
            var envelope = envelope();
            var fault = Xml.one(envelope, "Body/Fault") != null;
            if (transaction.mtom() && !fault) {
                if (!multipart() || !mediaType.contains("application/xop+xml")) {
                    wrong.add("not packaged as MTOM/XOP: " + type);
                }
            } else if (!fault && !type.equals("application/soap+xml")) {
                wrong.add("media type " + type);
            }
            if (!SOAP_12.equals(envelope.getNamespaceURI())) {
                wrong.add("not SOAP 1.2");
            }
            var action = Xml.text(envelope, "Header/Action");
            if (action.isEmpty()) {
                wrong.add("no wsa:Action");
            } else if (!fault && !action.equals(transaction.answerAction())) {
                wrong.add("wsa:Action " + action);
            }
            if (!Xml.text(envelope, "Header/RelatesTo").equals(requestId)) {
                wrong.add("wsa:RelatesTo is not the MessageID of the request");
            }
            return wrong;
        }
    }

    /** Takes what the last call of this thread left; null when no answer was read. */
    static Taken take() {
        var taken = LAST.get();
        LAST.remove();
        return taken;
    }

    @Override
    public void handleMessage(Message message) {
        var stream = message.getContent(InputStream.class);
        var bytes = new byte[0];
        if (stream != null) {
            try (stream) {
                bytes = stream.readAllBytes();
            } catch (IOException error) {
                throw new Fault(error);
            }
            message.setContent(InputStream.class, new ByteArrayInputStream(bytes));
        }
        var status = message.get(Message.RESPONSE_CODE) instanceof Integer code ? code : 0;
        var type = message.get(Message.CONTENT_TYPE) instanceof String text ? text : "";
        LAST.set(new Taken(status, type, bytes, requestId(message)));
    }

    private static String requestId(Message message) {
        AddressingProperties sent = ContextUtils.retrieveMAPs(message.getExchange().getOutMessage(), false, true);
        return sent == null || sent.getMessageID() == null ? "" : sent.getMessageID().getValue();
    }
}
