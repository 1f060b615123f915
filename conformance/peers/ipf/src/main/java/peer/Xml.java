package peer;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import javax.xml.XMLConstants;
import javax.xml.parsers.DocumentBuilder;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.parsers.ParserConfigurationException;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.Node;
import org.xml.sax.SAXException;

/** Reading answers: namespace-aware trees and paths of local names. */
final class Xml {
    private Xml() {}

    static Document empty() {
        return builder().newDocument();
    }

    static Element parse(byte[] text) throws IOException, SAXException {
        return builder().parse(new ByteArrayInputStream(text)).getDocumentElement();
    }

    static Element parse(String text) throws IOException, SAXException {
        return parse(text.getBytes(StandardCharsets.UTF_8));
    }

    /** Every element at a path of local names, e.g. {@code controlActProcess/subject}. */
    static List<Element> all(Element from, String path) {
        var here = List.of(from);
        for (var step : path.split("/")) {
            var next = new ArrayList<Element>();
            for (var element : here) {
                for (var child = element.getFirstChild(); child != null; child = child.getNextSibling()) {
                    if (child.getNodeType() == Node.ELEMENT_NODE && step.equals(child.getLocalName())) {
                        next.add((Element) child);
                    }
                }
            }
            here = next;
        }
        return here;
    }

    /** The first element at a path, or null. */
    static Element one(Element from, String path) {
        var found = all(from, path);
        return found.isEmpty() ? null : found.get(0);
    }

    /** An attribute of the first element at a path, or the empty text. */
    static String attribute(Element from, String path, String name) {
        var found = one(from, path);
        return found == null ? "" : found.getAttribute(name);
    }

    static String text(Element from, String path) {
        var found = one(from, path);
        return found == null ? "" : found.getTextContent().strip();
    }

    static String escape(String text) {
        return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\"", "&quot;");
    }

    private static DocumentBuilder builder() {
        try {
            var factory = DocumentBuilderFactory.newInstance();
            factory.setNamespaceAware(true);
            factory.setFeature(XMLConstants.FEATURE_SECURE_PROCESSING, true);
            factory.setFeature("http://apache.org/xml/features/disallow-doctype-decl", true);
            return factory.newDocumentBuilder();
        } catch (ParserConfigurationException error) {
            throw new IllegalStateException(error);
        }
    }
}
