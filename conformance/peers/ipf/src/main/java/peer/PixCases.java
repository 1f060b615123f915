package peer;

import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import org.w3c.dom.Element;

/** Patient Identity Source, PIX Consumer and XCPD Initiating Gateway. */
final class PixCases {
    private static final String ADD = "PRPA_IN201301UV02";
    private static final String REVISE = "PRPA_IN201302UV02";
    private static final String HOSPITAL = "hospital-a";
    private static final String CLINIC = "clinic-b";
    private static final String NEIGHBOUR = "neighbour-n";

    private final Demo demo;
    private final Client client;
    private final Sheet sheet;
    private final Pem.Identity signer;
    private final int faultStatus;
    private final Hl7.Parties hospital;
    private final Hl7.Parties gateways;
    private final String own;
    private final String foreign;

    PixCases(Demo demo, Client client, Sheet sheet, Pem.Identity signer, int faultStatus) {
        this.demo = demo;
        this.client = client;
        this.sheet = sheet;
        this.signer = signer;
        this.faultStatus = faultStatus;
        own = demo.facility(HOSPITAL).domain();
        foreign = demo.facility(CLINIC).domain();
        hospital = new Hl7.Parties(own, demo.home(), null, null);
        gateways = new Hl7.Parties(Demo.NEIGHBOUR, demo.home(), Demo.NEIGHBOUR, demo.home());
    }

    void run() {
        var stranger = stranger();
        var first = new Demo.Id(own, random("IPF-"));
        var second = new Demo.Id(own, random("IPF-"));
        feeds(stranger, first, second);
        queries(first);
        discoveries(stranger);
    }

    private void feeds(Demo.Patient stranger, Demo.Id first, Demo.Id second) {
        var theirs = new Demo.Id(foreign, random("IPF-"));
        accept("add", Hl7.feed(ADD, hospital, first, stranger, "1-1"));
        accept("add a second chart", Hl7.feed(ADD, hospital, second, stranger, "1-1"));
        accept("revise the address", Hl7.feed(REVISE, hospital, first, stranger, "2-2"));
        accept("merge the second chart into the first", Hl7.merge(hospital, first, second, stranger));
        refuse("add in a domain of another facility", Hl7.feed(ADD, hospital, theirs, stranger, "1-1"));
        refuse("revise in a domain of another facility", Hl7.feed(REVISE, hospital, theirs, stranger, "2-2"));
        refuse("merge a chart of another facility", Hl7.merge(hospital, first, theirs, stranger));
    }

    private void accept(String name, String message) {
        sheet.judge("ITI-44", name, "CA", () -> {
            var reply = client.call(Transaction.ITI_44, HOSPITAL, message);
            var answer = answer(reply);
            return Sheet.Outcome.of(reply, answer != null && ack(answer).equals("CA") && answers(answer, message),
                    answer == null ? unanswered(reply) : ack(answer));
        });
    }

    private void refuse(String name, String message) {
        sheet.judge("ITI-44", name, "CE or CR, detail E", () -> {
            var reply = client.call(Transaction.ITI_44, HOSPITAL, message);
            var answer = answer(reply);
            if (answer == null) {
                return Sheet.Outcome.of(reply, false, unanswered(reply));
            }
            var right = List.of("CE", "CR").contains(ack(answer)) && answers(answer, message)
                    && Xml.attribute(answer, "acknowledgement/acknowledgementDetail", "typeCode").equals("E");
            return Sheet.Outcome.of(reply, right, ack(answer) + detail(answer));
        });
    }

    private void queries(Demo.Id unconsented) {
        var patient = demo.patient("A");
        var chart = patient.id(own);
        var theirs = patient.id(foreign);
        sheet.judge("ITI-45", "resolve in one domain", "AA/OK, only " + foreign, () -> {
            var reply = client.call(Transaction.ITI_45, HOSPITAL, Hl7.query(hospital, chart, List.of(foreign)));
            return resolved(reply, ids -> ids.contains(theirs) && ids.stream().allMatch(id -> id.domain().equals(foreign)));
        });
        sheet.judge("ITI-45", "resolve in all domains", "AA/OK, several domains, not the queried id", () -> {
            var reply = client.call(Transaction.ITI_45, HOSPITAL, Hl7.query(hospital, chart, List.of()));
            return resolved(reply, ids -> ids.contains(theirs) && !ids.contains(chart)
                    && ids.stream().map(Demo.Id::domain).distinct().count() > 1);
        });
        sheet.judge("ITI-45", "known here only", "AA/NF", () -> {
            var message = Hl7.query(hospital, unconsented, List.of(foreign));
            var reply = client.call(Transaction.ITI_45, HOSPITAL, message);
            return judged(reply, "AA", "NF", message);
        });
        sheet.judge("ITI-45", "unknown id", "AE/AE, detail E 204 at patientIdentifier", () -> {
            var message = Hl7.query(hospital, new Demo.Id(own, random("NOBODY-")), List.of(foreign));
            return unknown(client.call(Transaction.ITI_45, HOSPITAL, message), "patientIdentifier");
        });
        sheet.judge("ITI-45", "unknown requested domain", "AE/AE, detail E 204 at dataSource", () -> {
            var message = Hl7.query(hospital, chart, List.of("2.999.30.999"));
            return unknown(client.call(Transaction.ITI_45, HOSPITAL, message), "dataSource");
        });
        sheet.judge("ITI-19", "no client certificate", "the hand-shake fails", () -> {
            var reply = client.call(Transaction.ITI_45, "nobody", Hl7.query(hospital, chart, List.of(foreign)));
            var got = String.join("; ", reply.trouble());
            // TLS 1.3 may lose the alert to a reset; a target that is not there would say "refused".
            var held = reply.body() == null && !reply.isFault() && reply.status() == 0 && !got.contains("refused");
            return new Sheet.Outcome(held, got);
        });
    }

    private void discoveries(Demo.Patient stranger) {
        var patient = demo.patient("A");
        var shared = patient.id(Demo.SHARED_ID_DOMAIN);
        for (var id : new Demo.Id[] {shared, null}) {
            sheet.judge("ITI-55", id == null ? "discover by demographics" : "discover by shared id and demographics",
                    "AA/OK, one match with the shared id", () -> discovered(discover(patient, id), shared));
        }
        sheet.judge("ITI-55", "nobody matches", "AA/NF", () -> judged(discover(stranger, null), "AA", "NF", null));
        sheet.judge("ITI-55", "patient without consent", "AA/NF, as for nobody",
                () -> judged(discover(demo.patient("B"), null), "AA", "NF", null));
        sheet.judgeFault("ITI-55", "no assertion", faultStatus, List.of("InvalidSecurity"),
                () -> client.call(Transaction.ITI_55, NEIGHBOUR, Hl7.discover(gateways, patient, shared)));
    }

    private Reply discover(Demo.Patient patient, Demo.Id id) throws Exception {
        return client.call(Transaction.ITI_55, NEIGHBOUR, Hl7.discover(gateways, patient, id),
                Xua.header(Xua.Claim.of(demo), signer));
    }

    private Sheet.Outcome discovered(Reply reply, Demo.Id shared) throws Exception {
        var answer = answer(reply);
        if (answer == null) {
            return Sheet.Outcome.of(reply, false, unanswered(reply));
        }
        var events = Xml.all(answer, "controlActProcess/subject/registrationEvent");
        var homes = events.stream().map(event -> Xml.attribute(event, "custodian/assignedEntity/id", "root")).toList();
        var right = codes(answer).equals("AA/OK") && events.size() == 1 && ids(answer).contains(shared)
                && homes.equals(List.of(demo.home()));
        return Sheet.Outcome.of(reply, right, codes(answer) + ", " + events.size() + " match" + detail(answer));
    }

    private interface Rule {
        boolean holds(List<Demo.Id> ids);
    }

    private static Sheet.Outcome resolved(Reply reply, Rule rule) throws Exception {
        var answer = answer(reply);
        if (answer == null) {
            return Sheet.Outcome.of(reply, false, unanswered(reply));
        }
        var ids = ids(answer);
        return Sheet.Outcome.of(reply, codes(answer).equals("AA/OK") && rule.holds(ids),
                codes(answer) + ", domains " + ids.stream().map(Demo.Id::domain).sorted().toList() + detail(answer));
    }

    private static Sheet.Outcome unknown(Reply reply, String place) throws Exception {
        var answer = answer(reply);
        if (answer == null) {
            return Sheet.Outcome.of(reply, false, unanswered(reply));
        }
        var detail = "acknowledgement/acknowledgementDetail";
        var right = codes(answer).equals("AE/AE") && Xml.attribute(answer, detail, "typeCode").equals("E")
                && Xml.attribute(answer, detail + "/code", "code").equals("204")
                && Xml.text(answer, detail + "/location").contains(place) && ids(answer).isEmpty();
        return Sheet.Outcome.of(reply, right, codes(answer) + detail(answer));
    }

    private static Sheet.Outcome judged(Reply reply, String ack, String response, String message) throws Exception {
        var answer = answer(reply);
        if (answer == null) {
            return Sheet.Outcome.of(reply, false, unanswered(reply));
        }
        var right = codes(answer).equals(ack + "/" + response) && ids(answer).isEmpty()
                && (message == null || answers(answer, message));
        return Sheet.Outcome.of(reply, right, codes(answer) + detail(answer));
    }

    private static Element answer(Reply reply) throws Exception {
        return reply.body() instanceof String text ? Xml.parse(text) : null;
    }

    private static String unanswered(Reply reply) {
        return reply.isFault() ? "fault " + String.join("/", reply.faults()) + " (HTTP " + reply.status() + ")" : "";
    }

    /** Whether the acknowledgement names this request. */
    private static boolean answers(Element answer, String message) throws Exception {
        return Xml.attribute(answer, "acknowledgement/targetMessage/id", "root")
                .equals(Xml.attribute(Xml.parse(message), "id", "root"));
    }

    private static String ack(Element answer) {
        return Xml.attribute(answer, "acknowledgement/typeCode", "code");
    }

    private static String codes(Element answer) {
        return ack(answer) + "/" + Xml.attribute(answer, "controlActProcess/queryAck/queryResponseCode", "code");
    }

    private static String detail(Element answer) {
        var detail = Xml.one(answer, "acknowledgement/acknowledgementDetail");
        return detail == null ? "" : ", detail " + detail.getAttribute("typeCode") + " "
                + Xml.attribute(detail, "code", "code") + " " + Xml.text(detail, "location");
    }

    /** Every identifier in the answer: of the patient and its other ids. */
    private static List<Demo.Id> ids(Element answer) {
        var found = new ArrayList<Demo.Id>();
        var patient = "controlActProcess/subject/registrationEvent/subject1/patient/";
        for (var path : List.of(patient + "id", patient + "patientPerson/asOtherIDs/id")) {
            for (var id : Xml.all(answer, path)) {
                if (id.hasAttribute("extension")) {
                    found.add(new Demo.Id(id.getAttribute("root"), id.getAttribute("extension")));
                }
            }
        }
        return found;
    }

    /** Somebody whom no gateway knows: the family name is unlikely enough. */
    private static Demo.Patient stranger() {
        var name = new Demo.Name("異国" + random(""), "花子", "イコク", "ハナコ");
        return new Demo.Patient("stranger", name, "1931-02-03", "female", List.of(), List.of());
    }

    private static String random(String prefix) {
        return prefix + UUID.randomUUID().toString().substring(0, 8);
    }
}
