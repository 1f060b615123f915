package peer;

import java.io.StringWriter;
import java.time.LocalDateTime;
import java.time.format.DateTimeFormatter;
import java.util.List;
import java.util.UUID;
import javax.xml.transform.OutputKeys;
import javax.xml.transform.TransformerException;
import javax.xml.transform.TransformerFactory;
import javax.xml.transform.dom.DOMSource;
import javax.xml.transform.stream.StreamResult;
import org.w3c.dom.Element;

/** HL7 V3 answers to one request, as text. */
final class Answer {
    private static final DateTimeFormatter TIME = DateTimeFormatter.ofPattern("yyyyMMddHHmmss");
    private static final String PARAMETERS = "controlActProcess/queryByParameter";
    private static final TransformerFactory COPIER = TransformerFactory.newInstance();

    private final Element request;

    private Answer(Element request) {
        this.request = request;
    }

    static Answer to(String request) throws Exception {
        return new Answer(Xml.parse(request));
    }

    /**
     * ITI-45 answer by cutting the echoed parts out of the request's text, without a tree; null where the
     * request is not written plainly (default namespace, no white space in tags).
     */
    static String splice(String request, List<Demo.Id> ids) {
        int from = request.indexOf("<queryByParameter>");
        int to = request.indexOf("</queryByParameter>");
        int queryId = request.indexOf("<queryId ", Math.max(from, 0));
        int queryIdEnd = request.indexOf("/>", Math.max(queryId, 0));
        int id = request.indexOf("<id ");
        int idEnd = request.indexOf("/>", Math.max(id, 0));
        int device = request.indexOf("<id ", Math.max(request.indexOf("<receiver"), 0));
        int sender = request.indexOf("<id ", Math.max(request.indexOf("<sender"), 0));
        if (from < 0 || to < from || queryId < from || queryIdEnd < queryId || id < 0 || device < 0 || sender < 0) {
            return null;
        }
        return wrap("PRPA_IN201310UV02", "AA", request.substring(id, idEnd + 2), root(request, device), root(request, sender),
                "", control("PRPA_IN201310UV02", resolved(ids), request.substring(queryId, queryIdEnd + 2), "OK",
                        request.substring(from, to + "</queryByParameter>".length())), null);
    }

    private static String root(String request, int at) {
        int start = request.indexOf("root=\"", at) + 6;
        return request.substring(start, request.indexOf('"', start));
    }

    Element request() {
        return request;
    }

    /** MCCI_IN000002UV01: {@code CA}, or another letter with the text of an error. */
    String accept(String letter, String error) {
        return wrap("MCCI_IN000002UV01", letter, error == null ? "" : detail("100", error, ""), "", null);
    }

    /** ITI-45 answer with these ids; none means that nothing is known in the requested domains. */
    String identifiers(List<Demo.Id> ids) throws TransformerException {
        return act("PRPA_IN201310UV02", "AA", ids.isEmpty() ? "NF" : "OK", "", resolved(ids), null);
    }

    private static String resolved(List<Demo.Id> ids) {
        return ids.isEmpty() ? "" : event(ids, "<name nullFlavor=\"NA\"/>", "",
                "<assignedEntity classCode=\"ASSIGNED\"><id root=\"" + ids.get(0).domain() + "\"/></assignedEntity>");
    }

    /** ITI-45 answer for something unknown at {@code location}. */
    String unknown(String location) throws TransformerException {
        return act("PRPA_IN201310UV02", "AE", "AE", detail("204", "unknown key identifier", location), "", null);
    }

    /** ITI-55 answer with one match. */
    String match(String home, Demo.Id id, Demo.Patient patient) throws TransformerException {
        var provider = """
                <providerOrganization classCode="ORG" determinerCode="INSTANCE"><id root="%s"/><name>IPF</name>\
                <contactParty classCode="CON"/></providerOrganization><subjectOf1><queryMatchObservation classCode="COND" \
                moodCode="EVN"><code code="IHE_PDQ"/><value xsi:type="INT" value="100"/></queryMatchObservation></subjectOf1>"""
                .formatted(id.domain());
        var custodian = """
                <assignedEntity classCode="ASSIGNED"><id root="%s"/><code code="NotHealthDataLocator" \
                codeSystem="1.3.6.1.4.1.19376.1.2.27.2"/></assignedEntity>""".formatted(home);
        return act("PRPA_IN201306UV02", "AA", "OK", "", event(List.of(id), Hl7.person(patient, "1-1"), provider, custodian), home);
    }

    /** ITI-55 answer without a match. */
    String noMatch(String home) throws TransformerException {
        return act("PRPA_IN201306UV02", "AA", "NF", "", "", home);
    }

    private static String event(List<Demo.Id> ids, String person, String provider, String custodian) {
        var all = new StringBuilder();
        ids.forEach(id -> all.append(Hl7.ii(id)));
        return """
                <subject typeCode="SUBJ"><registrationEvent classCode="REG" moodCode="EVN"><id nullFlavor="NA"/>\
                <statusCode code="active"/><subject1 typeCode="SBJ"><patient classCode="PAT">%s<statusCode code="active"/>\
                <patientPerson classCode="PSN" determinerCode="INSTANCE">%s</patientPerson>%s</patient></subject1>\
                <custodian typeCode="CST">%s</custodian></registrationEvent></subject>"""
                .formatted(all, person, provider, custodian);
    }

    private String act(String interaction, String letter, String response, String detail, String event, String home)
            throws TransformerException {
        var queryId = Xml.one(request, PARAMETERS + "/queryId");
        var echoed = "<queryId root=\"%s\" extension=\"%s\"/>".formatted(
                queryId.getAttribute("root"), Xml.escape(queryId.getAttribute("extension")));
        return wrap(interaction, letter, detail,
                control(interaction, event, echoed, response, copy(Xml.one(request, PARAMETERS))), home);
    }

    /** The control act of an answer; ITI-55 answers carry no quantities, ITI-45 answers may. */
    private static String control(String interaction, String event, String queryId, String response, String parameters) {
        return """
                <controlActProcess classCode="CACT" moodCode="EVN"><code code="%s" codeSystem="2.16.840.1.113883.1.6"/>%s\
                <queryAck>%s<queryResponseCode code="%s"/></queryAck>%s</controlActProcess>"""
                .formatted(interaction.replace("_IN", "_TE"), event, queryId, response, parameters);
    }

    private String wrap(String interaction, String letter, String detail, String act, String home) {
        return wrap(interaction, letter, "<id root=\"" + Xml.attribute(request, "id", "root") + "\"/>",
                Xml.attribute(request, "receiver/device/id", "root"), Xml.attribute(request, "sender/device/id", "root"),
                detail, act, home);
    }

    private static String wrap(String interaction, String letter, String requestId, String sender, String receiver,
            String detail, String act, String home) {
        return """
                <%1$s xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" ITSVersion="XML_1.0">\
                <id root="%2$s"/><creationTime value="%3$s"/><interactionId root="2.16.840.1.113883.1.6" extension="%1$s"/>\
                <processingCode code="T"/><processingModeCode code="T"/><acceptAckCode code="NE"/>\
                <receiver typeCode="RCV">%4$s</receiver><sender typeCode="SND">%5$s</sender>\
                <acknowledgement><typeCode code="%6$s"/><targetMessage>%7$s</targetMessage>%8$s</acknowledgement>\
                %9$s</%1$s>"""
                .formatted(interaction, UUID.randomUUID(), LocalDateTime.now().format(TIME), Hl7.device(receiver, null),
                        Hl7.device(sender, home), letter, requestId, detail, act);
    }

    private static String detail(String code, String text, String location) {
        return "<acknowledgementDetail typeCode=\"E\"><code code=\"%s\" codeSystem=\"2.16.840.1.113883.18.217\"/><text>%s</text>%s</acknowledgementDetail>"
                .formatted(code, Xml.escape(text), location.isEmpty() ? "" : "<location>" + Xml.escape(location) + "</location>");
    }

    private static String copy(Element element) throws TransformerException {
        var text = new StringWriter();
        var copier = COPIER.newTransformer();
        copier.setOutputProperty(OutputKeys.OMIT_XML_DECLARATION, "yes");
        copier.transform(new DOMSource(element), new StreamResult(text));
        return text.toString();
    }
}
