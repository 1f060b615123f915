package peer;

import jakarta.activation.DataHandler;
import jakarta.mail.util.ByteArrayDataSource;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.UUID;
import org.openehealth.ipf.commons.ihe.xds.core.ebxml.ebxml30.EbXMLFactory30;
import org.openehealth.ipf.commons.ihe.xds.core.ebxml.ebxml30.EbXMLRegistryResponse30;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.AssigningAuthority;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.Association;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.AssociationLabel;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.AssociationType;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.AvailabilityStatus;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.Code;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.Document;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.DocumentEntry;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.Identifiable;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.LocalizedString;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.SubmissionSet;
import org.openehealth.ipf.commons.ihe.xds.core.requests.ProvideAndRegisterDocumentSet;
import org.openehealth.ipf.commons.ihe.xds.core.responses.Response;
import org.openehealth.ipf.commons.ihe.xds.core.stub.ebrs30.rs.RegistryResponseType;
import org.openehealth.ipf.commons.ihe.xds.core.transform.requests.ProvideAndRegisterDocumentSetTransformer;
import org.openehealth.ipf.commons.ihe.xds.core.transform.responses.ResponseTransformer;

/** Document Source: hands documents of patient A in as hospital-a, and looks for them as the neighbour. */
final class ProvideCases {
    /** Kinds that ask for no seal, and one that does. */
    static final Code PROBLEMS = code("11450-4", "Problem list"), PRESCRIPTION = code("57833-6", "Prescription");
    private static final Code REFERRAL = code("57133-1", "Referral note");
    private static final EbXMLFactory30 EBXML = new EbXMLFactory30();

    private final Demo demo;
    private final Client client;
    private final Sheet sheet;
    private final XcaCases neighbour;
    private final Demo.Id chart;

    ProvideCases(Demo demo, Client client, Sheet sheet, XcaCases neighbour) {
        this.demo = demo;
        this.client = client;
        this.sheet = sheet;
        this.neighbour = neighbour;
        chart = demo.patient("A").id(demo.facility("hospital-a").domain());
    }

    void run() throws Exception {
        takes();
        replaces();
        sealed();
        refused();
    }

    private void takes() throws Exception {
        var one = document(PROBLEMS, "one");
        sheet.judge("ITI-41", "one document", "Success, and found as it was described", () -> {
            var reply = provide(List.of(one));
            return Sheet.Outcome.of(reply, succeeded(reply) && found(one, AvailabilityStatus.APPROVED), describe(reply));
        });
        sheet.judge("ITI-41", "the same document again", "Success, and it is one document", () -> {
            var reply = provide(List.of(one));
            return Sheet.Outcome.of(reply, succeeded(reply) && found(one, AvailabilityStatus.APPROVED), describe(reply));
        });
        sheet.judge("ITI-41", "two documents at once", "Success, and both are found", () -> {
            var first = document(PROBLEMS, "first");
            var second = document(PROBLEMS, "second");
            var reply = provide(List.of(first, second));
            return Sheet.Outcome.of(reply, succeeded(reply) && found(first, AvailabilityStatus.APPROVED)
                    && found(second, AvailabilityStatus.APPROVED), describe(reply));
        });
        sheet.judge("ITI-41", "same unique id, other content", "Failure, XDSNonIdenticalHash", () -> {
            var other = document(PROBLEMS, "other");
            other.getDocumentEntry().setUniqueId(one.getDocumentEntry().getUniqueId());
            return failed(provide(List.of(other)), "XDSNonIdenticalHash");
        });
    }

    private void replaces() throws Exception {
        var old = document(PROBLEMS, "old");
        var fresh = document(PROBLEMS, "new");
        sheet.judge("ITI-41", "a replacement", "Success, the replaced one is deprecated", () -> {
            provide(List.of(old));
            var reply = provide(List.of(fresh), old.getDocumentEntry().getEntryUuid());
            return Sheet.Outcome.of(reply, succeeded(reply) && found(fresh, AvailabilityStatus.APPROVED)
                    && found(old, AvailabilityStatus.DEPRECATED), describe(reply));
        });
        sheet.judge("ITI-41", "a second replacement of it", "Failure, XDSRegistryDeprecatedDocumentError", () ->
                failed(provide(List.of(document(PROBLEMS, "late")), old.getDocumentEntry().getEntryUuid()),
                        "XDSRegistryDeprecatedDocumentError"));
        sheet.judge("ITI-41", "a replacement of nothing", "Failure, UnresolvedReferenceException", () ->
                failed(provide(List.of(document(PROBLEMS, "none")), "urn:uuid:" + UUID.randomUUID()),
                        "UnresolvedReferenceException"));
    }

    /** The demo's own referral, which its doctor signed, is handed in as another document. */
    private void sealed() throws Exception {
        for (var known : demo.patient("A").documents()) {
            var bytes = neighbour.content(known);
            if (new String(bytes, 0, Math.min(5, bytes.length), StandardCharsets.ISO_8859_1).equals("%PDF-")) {
                sheet.judge("ITI-41", "a referral with its seal", "Success, and found", () -> {
                    var referral = document(REFERRAL, bytes, "application/pdf");
                    referral.getDocumentEntry().setExtraMetadata(
                            java.util.Map.of("urn:x-regional-gateway:category", new ArrayList<>(List.of("diagnosis"))));
                    var reply = provide(List.of(referral));
                    return Sheet.Outcome.of(reply, succeeded(reply) && found(referral, AvailabilityStatus.APPROVED),
                            describe(reply));
                });
            }
        }
    }

    private void refused() throws Exception {
        sheet.judge("ITI-41", "a prescription without its seal", "Failure, InvalidDocumentContent, nothing is found", () -> {
            var bare = document(PRESCRIPTION, "bare");
            var beside = document(PROBLEMS, "beside");
            var outcome = failed(provide(List.of(beside, bare)), "InvalidDocumentContent");
            return new Sheet.Outcome(outcome.held() && neighbour.entries(beside.getDocumentEntry().getUniqueId()).isEmpty(),
                    outcome.got());
        });
        sheet.judge("ITI-41", "a hash of other bytes", "Failure, XDSRepositoryMetadataError", () -> {
            var wrong = document(PROBLEMS, "wrong");
            wrong.getDocumentEntry().setHash("0".repeat(40));
            return failed(provide(List.of(wrong)), "XDSRepositoryMetadataError");
        });
        for (var id : List.of(new Demo.Id("2.999.77", "1"),
                demo.patient("A").id(demo.facility("clinic-b").domain()))) {
            sheet.judge("ITI-41", "patient " + id.domain() + ", not ours", "Failure, XDSUnknownPatientId", () -> {
                var foreign = document(PROBLEMS, "foreign");
                foreign.getDocumentEntry().setPatientId(identifiable(id));
                foreign.getDocumentEntry().setSourcePatientId(identifiable(id));
                return failed(provide(List.of(foreign)), "XDSUnknownPatientId");
            });
        }
    }

    private Document document(Code type, String text) throws GeneralSecurityException {
        var page = "<ClinicalDocument>" + text + " " + UUID.randomUUID() + "</ClinicalDocument>";
        return document(type, page.getBytes(StandardCharsets.UTF_8), "text/xml");
    }

    private Document document(Code type, byte[] bytes, String mime) throws GeneralSecurityException {
        var hash = HexFormat.of().formatHex(MessageDigest.getInstance("SHA-1").digest(bytes));
        var known = new Demo.Doc(oid(), hash, bytes.length, mime, demo.repository());
        var entry = Canned.entry(demo, chart, known, 0);
        entry.setEntryUuid("urn:uuid:" + UUID.randomUUID());
        entry.setMimeType(mime);
        entry.setTypeCode(type);
        entry.setHomeCommunityId(null);
        entry.setRepositoryUniqueId(null);
        return new Document(entry, new DataHandler(new ByteArrayDataSource(bytes, mime)));
    }

    /** Sends one submission; its documents replace what {@code old} names. */
    private Reply provide(List<Document> documents, String... old) {
        var set = new SubmissionSet();
        set.setEntryUuid("urn:uuid:" + UUID.randomUUID());
        set.setUniqueId(oid());
        set.setSourceId("2.999.50.1");
        set.setSubmissionTime("20261101020000");
        set.setContentTypeCode(PROBLEMS);
        set.setPatientId(documents.get(0).getDocumentEntry().getPatientId());
        set.setAvailabilityStatus(AvailabilityStatus.APPROVED);
        set.setTitle(new LocalizedString("登録", "ja-JP", "UTF-8"));
        var request = new ProvideAndRegisterDocumentSet();
        request.setSubmissionSet(set);
        request.getDocuments().addAll(documents);
        for (var document : documents) {
            var id = document.getDocumentEntry().getEntryUuid();
            var member = association(AssociationType.HAS_MEMBER, set.getEntryUuid(), id);
            member.setLabel(AssociationLabel.ORIGINAL);
            request.getAssociations().add(member);
            for (var target : old) {
                request.getAssociations().add(association(AssociationType.REPLACE, id, target));
            }
        }
        return client.call(Transaction.ITI_41, "hospital-a",
                new ProvideAndRegisterDocumentSetTransformer(EBXML).toEbXML(request).getInternal());
    }

    private static Association association(AssociationType type, String source, String target) {
        return new Association(type, "urn:uuid:" + UUID.randomUUID(), source, target);
    }

    /** Whether a neighbour finds it, once, as it was described. */
    private boolean found(Document document, AvailabilityStatus status) throws Exception {
        DocumentEntry sent = document.getDocumentEntry();
        var found = neighbour.entries(sent.getUniqueId());
        return found.size() == 1 && found.stream().allMatch(entry -> entry.getAvailabilityStatus() == status
                && entry.getHash().equalsIgnoreCase(sent.getHash()) && entry.getSize().equals(sent.getSize())
                && demo.repository().equals(entry.getRepositoryUniqueId())
                && entry.getTitle().getValue().equals(sent.getTitle().getValue())
                && entry.getTypeCode().getCode().equals(sent.getTypeCode().getCode())
                && entry.getCreationTime().equals(sent.getCreationTime())
                && entry.getAuthors().equals(sent.getAuthors()));
    }

    private static Response response(Reply reply) {
        return reply.body() instanceof RegistryResponseType body
                ? new ResponseTransformer(EBXML).fromEbXML(new EbXMLRegistryResponse30(body)) : new Response();
    }

    private static boolean succeeded(Reply reply) {
        var answer = response(reply);
        return XcaCases.status(answer).equals("Success") && answer.getErrors().isEmpty();
    }

    private static Sheet.Outcome failed(Reply reply, String code) {
        var answer = response(reply);
        return Sheet.Outcome.of(reply, XcaCases.status(answer).equals("Failure")
                && XcaCases.codes(answer).equals(List.of(code)), describe(reply));
    }

    private static String describe(Reply reply) {
        var answer = response(reply);
        var text = XcaCases.describe(reply, answer);
        for (var error : answer.getErrors()) {
            text += " \"" + error.getCodeContext() + "\"";
        }
        return text;
    }

    private static String oid() {
        return "2.25." + new BigInteger(UUID.randomUUID().toString().replace("-", ""), 16);
    }

    private static Identifiable identifiable(Demo.Id id) {
        return new Identifiable(id.value(), new AssigningAuthority(id.domain()));
    }

    private static Code code(String code, String display) {
        return new Code(code, new LocalizedString(display, "en-US", "UTF-8"), "2.16.840.1.113883.6.1");
    }
}
