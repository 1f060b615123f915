package peer;

import java.io.IOException;
import java.io.InputStream;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Objects;
import java.util.TreeSet;
import java.util.UUID;
import org.openehealth.ipf.commons.ihe.xds.core.ebxml.ebxml30.EbXMLFactory30;
import org.openehealth.ipf.commons.ihe.xds.core.ebxml.ebxml30.EbXMLQueryResponse30;
import org.openehealth.ipf.commons.ihe.xds.core.ebxml.ebxml30.EbXMLRetrieveDocumentSetResponse30;
import org.openehealth.ipf.commons.ihe.xds.core.ebxml.ebxml30.RetrieveDocumentSetResponseType;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.AssigningAuthority;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.AvailabilityStatus;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.DocumentEntry;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.Identifiable;
import org.openehealth.ipf.commons.ihe.xds.core.requests.DocumentReference;
import org.openehealth.ipf.commons.ihe.xds.core.requests.QueryRegistry;
import org.openehealth.ipf.commons.ihe.xds.core.requests.RetrieveDocumentSet;
import org.openehealth.ipf.commons.ihe.xds.core.requests.query.FindDocumentsQuery;
import org.openehealth.ipf.commons.ihe.xds.core.requests.query.GetDocumentsQuery;
import org.openehealth.ipf.commons.ihe.xds.core.requests.query.QueryReturnType;
import org.openehealth.ipf.commons.ihe.xds.core.requests.query.StoredQuery;
import org.openehealth.ipf.commons.ihe.xds.core.responses.ErrorInfo;
import org.openehealth.ipf.commons.ihe.xds.core.responses.QueryResponse;
import org.openehealth.ipf.commons.ihe.xds.core.responses.Response;
import org.openehealth.ipf.commons.ihe.xds.core.responses.RetrievedDocument;
import org.openehealth.ipf.commons.ihe.xds.core.responses.RetrievedDocumentSet;
import org.openehealth.ipf.commons.ihe.xds.core.stub.ebrs30.query.AdhocQueryResponse;
import org.openehealth.ipf.commons.ihe.xds.core.transform.requests.QueryRegistryTransformer;
import org.openehealth.ipf.commons.ihe.xds.core.transform.requests.RetrieveDocumentSetRequestTransformer;
import org.openehealth.ipf.commons.ihe.xds.core.transform.responses.QueryResponseTransformer;
import org.openehealth.ipf.commons.ihe.xds.core.transform.responses.RetrieveDocumentSetResponseTransformer;

/** XCA Initiating Gateway: queries and retrieves as the neighbour, with an assertion. */
final class XcaCases {
    private static final EbXMLFactory30 EBXML = new EbXMLFactory30();
    private static final String NEIGHBOUR = "neighbour-n";
    private static final String NOWHERE = "urn:oid:2.999.10.999";

    private final Demo demo;
    private final Client client;
    private final Sheet sheet;
    private final Pem.Identity signer;
    private final int faultStatus;
    private final Demo.Patient patient;
    private final Demo.Id shared;

    XcaCases(Demo demo, Client client, Sheet sheet, Pem.Identity signer, int faultStatus) {
        this.demo = demo;
        this.client = client;
        this.sheet = sheet;
        this.signer = signer;
        this.faultStatus = faultStatus;
        patient = demo.patient("A");
        shared = patient.id(Demo.SHARED_ID_DOMAIN);
    }

    void run() {
        finds();
        gets();
        refusedQueries();
        if (patient.documents().isEmpty()) {
            sheet.judge("ITI-39", "retrieve", "demo.json lists documents of patient A",
                    () -> new Sheet.Outcome(false, "it lists none, so that nothing can be retrieved"));
            return;
        }
        retrieves();
        refusedRetrieves();
    }

    private void finds() {
        var documents = patient.documents();
        sheet.judge("ITI-38", "FindDocuments, LeafClass", "Success, the documents of demo.json with hash and size", () -> {
            var reply = query(find(shared), QueryReturnType.LEAF_CLASS, claim());
            var answer = queried(reply);
            return Sheet.Outcome.of(reply, succeeded(answer) && answer.getErrors().isEmpty() && !documents.isEmpty()
                    && documents.stream().allMatch(doc -> answer.getDocumentEntries().stream().anyMatch(e -> same(doc, e)))
                    && atHome(answer), describe(reply, answer));
        });
        sheet.judge("ITI-38", "FindDocuments, ObjectRef", "Success, references with home", () -> {
            var reply = query(find(shared), QueryReturnType.OBJECT_REF, claim());
            var answer = queried(reply);
            return Sheet.Outcome.of(reply, succeeded(answer) && answer.getDocumentEntries().isEmpty()
                    && answer.getReferences().size() >= documents.size() && !documents.isEmpty()
                    && answer.getReferences().stream().allMatch(ref -> demo.homeUrn().equals(ref.getHome())),
                    describe(reply, answer));
        });
        var strangers = new Demo.Id(Demo.SHARED_ID_DOMAIN, "9999999999999999");
        var withdrawn = demo.patient("D").ids().stream().filter(id -> id.domain().equals(Demo.SHARED_ID_DOMAIN))
                .findFirst().orElse(strangers);
        sheet.judge("ITI-38", "unknown patient", "Success, no entry", () -> empty(strangers));
        sheet.judge("ITI-38", "patient who withdrew", "Success, no entry, as for an unknown one", () -> empty(withdrawn));
    }

    private Sheet.Outcome empty(Demo.Id id) throws Exception {
        var reply = query(find(id), QueryReturnType.LEAF_CLASS, claim());
        var answer = queried(reply);
        return Sheet.Outcome.of(reply, succeeded(answer) && answer.getDocumentEntries().isEmpty()
                && answer.getErrors().isEmpty(), describe(reply, answer));
    }

    private void gets() {
        var documents = patient.documents();
        sheet.judge("ITI-38", "GetDocuments by unique id", "Success, these entries", () -> {
            if (documents.isEmpty()) {
                return new Sheet.Outcome(false, "demo.json lists no document of patient A");
            }
            var query = new GetDocumentsQuery();
            query.setHomeCommunityId(demo.homeUrn());
            query.setUniqueIds(documents.stream().map(Demo.Doc::uniqueId).toList());
            var reply = query(query, QueryReturnType.LEAF_CLASS, claim());
            var answer = queried(reply);
            return Sheet.Outcome.of(reply, succeeded(answer) && answer.getDocumentEntries().size() == documents.size()
                    && documents.stream().allMatch(doc -> answer.getDocumentEntries().stream().anyMatch(e -> same(doc, e)))
                    && atHome(answer), describe(reply, answer));
        });
        sheet.judge("ITI-38", "GetDocuments by entry id", "Success, this entry", () -> {
            var all = queried(query(find(shared), QueryReturnType.LEAF_CLASS, claim()));
            if (all.getDocumentEntries().isEmpty()) {
                return new Sheet.Outcome(false, "FindDocuments found nothing to ask for");
            }
            var wanted = all.getDocumentEntries().get(0).getEntryUuid();
            var query = new GetDocumentsQuery();
            query.setHomeCommunityId(demo.homeUrn());
            query.setUuids(List.of(wanted));
            var reply = query(query, QueryReturnType.LEAF_CLASS, claim());
            var answer = queried(reply);
            return Sheet.Outcome.of(reply, succeeded(answer) && answer.getDocumentEntries().size() == 1
                    && wanted.equals(answer.getDocumentEntries().get(0).getEntryUuid()), describe(reply, answer));
        });
    }

    private void refusedQueries() {
        sheet.judge("ITI-38", "unknown community", "Failure, XDSUnknownCommunity", () -> {
            var query = find(shared);
            query.setHomeCommunityId(NOWHERE);
            var reply = query(query, QueryReturnType.LEAF_CLASS, claim());
            return failed(reply, queried(reply), "XDSUnknownCommunity", "");
        });
        sheet.judgeFault("ITI-38", "no assertion", faultStatus, List.of("InvalidSecurity"),
                () -> client.call(Transaction.ITI_38, NEIGHBOUR, ebxml(find(shared), QueryReturnType.LEAF_CLASS)));
        sheet.judgeFault("ITI-38", "assertion for another audience", faultStatus, List.of("FailedAuthentication"),
                () -> query(find(shared), QueryReturnType.LEAF_CLASS, claim().audience(NOWHERE)));
        sheet.judgeFault("ITI-38", "assertion signed by a key of somebody else", faultStatus,
                List.of("FailedCheck", "FailedAuthentication"),
                () -> client.call(Transaction.ITI_38, NEIGHBOUR, ebxml(find(shared), QueryReturnType.LEAF_CLASS),
                        Xua.header(claim(), Pem.Identity.read(demo.folder().resolve("pki/clients"), "clinic-b"))));
    }

    private void retrieves() {
        for (var document : patient.documents()) {
            sheet.judge("ITI-39", "one document, " + document.size() + " bytes", "Success, hash and size equal", () -> {
                var reply = retrieve(claim(), reference(document));
                var answer = retrieved(reply);
                return Sheet.Outcome.of(reply, succeeded(answer) && answer.getDocuments().size() == 1
                        && same(document, answer.getDocuments().get(0)), describe(reply, answer));
            });
        }
        sheet.judge("ITI-39", "all documents at once", "Success, hash and size equal", () -> {
            var documents = patient.documents();
            var reply = retrieve(claim(), documents.stream().map(this::reference).toArray(DocumentReference[]::new));
            var answer = retrieved(reply);
            var right = succeeded(answer) && answer.getDocuments().size() == documents.size();
            for (var document : documents) {
                right = right && holds(answer, document);
            }
            return Sheet.Outcome.of(reply, right, describe(reply, answer));
        });
    }

    private void refusedRetrieves() {
        var known = patient.documents().get(0);
        var nowhere = "2.999.40.1." + new java.math.BigInteger(UUID.randomUUID().toString().replace("-", ""), 16);
        var missing = new DocumentReference(known.repository(), nowhere, demo.homeUrn());
        sheet.judge("ITI-39", "unknown document", "Failure, XDSDocumentUniqueIdError with its id", () -> {
            var reply = retrieve(claim(), missing);
            return failed(reply, retrieved(reply), "XDSDocumentUniqueIdError", nowhere);
        });
        sheet.judge("ITI-39", "a known and an unknown document", "PartialSuccess, one document, one error", () -> {
            var reply = retrieve(claim(), reference(known), missing);
            var answer = retrieved(reply);
            return Sheet.Outcome.of(reply, status(answer).equals("PartialSuccess") && answer.getDocuments().size() == 1
                    && holds(answer, known) && codes(answer).equals(List.of("XDSDocumentUniqueIdError")),
                    describe(reply, answer));
        });
        sheet.judge("ITI-39", "unknown repository", "Failure, XDSUnknownRepositoryId", () -> {
            var reply = retrieve(claim(), new DocumentReference("2.999.40.999", known.uniqueId(), demo.homeUrn()));
            return failed(reply, retrieved(reply), "XDSUnknownRepositoryId", "");
        });
        sheet.judge("ITI-39", "unknown community", "Failure, XDSUnknownCommunity", () -> {
            var reply = retrieve(claim(), new DocumentReference(known.repository(), known.uniqueId(), NOWHERE));
            return failed(reply, retrieved(reply), "XDSUnknownCommunity", "");
        });
        sheet.judgeFault("ITI-39", "no assertion", faultStatus, List.of("InvalidSecurity"),
                () -> client.call(Transaction.ITI_39, NEIGHBOUR, ebxml(reference(known))));
    }

    /** What GetDocuments finds by a unique id. */
    List<DocumentEntry> entries(String uniqueId) throws GeneralSecurityException {
        var query = new GetDocumentsQuery();
        query.setHomeCommunityId(demo.homeUrn());
        query.setUniqueIds(List.of(uniqueId));
        return queried(query(query, QueryReturnType.LEAF_CLASS, claim())).getDocumentEntries();
    }

    /** The bytes of one document; none where it does not come. */
    byte[] content(Demo.Doc document) throws IOException, GeneralSecurityException {
        for (var found : retrieved(retrieve(claim(), reference(document))).getDocuments()) {
            try (InputStream bytes = found.getDataHandler().getInputStream()) {
                return bytes.readAllBytes();
            }
        }
        return new byte[0];
    }

    private Xua.Claim claim() {
        return Xua.Claim.of(demo).about(shared);
    }

    private DocumentReference reference(Demo.Doc document) {
        return new DocumentReference(document.repository(), document.uniqueId(), demo.homeUrn());
    }

    private static FindDocumentsQuery find(Demo.Id id) {
        var query = new FindDocumentsQuery();
        query.setPatientId(new Identifiable(id.value(), new AssigningAuthority(id.domain())));
        query.setStatus(List.of(AvailabilityStatus.APPROVED));
        return query;
    }

    private Reply query(StoredQuery query, QueryReturnType type, Xua.Claim claim) throws GeneralSecurityException {
        // A claim about somebody else than the query's patient would be refused for that alone.
        var subject = query instanceof FindDocumentsQuery find
                ? new Demo.Id(find.getPatientId().getAssigningAuthority().getUniversalId(), find.getPatientId().getId())
                : claim.patient();
        return client.call(Transaction.ITI_38, NEIGHBOUR, ebxml(query, type), Xua.header(claim.about(subject), signer));
    }

    private Reply retrieve(Xua.Claim claim, DocumentReference... references) throws GeneralSecurityException {
        return client.call(Transaction.ITI_39, NEIGHBOUR, ebxml(references), Xua.header(claim, signer));
    }

    private static Object ebxml(StoredQuery query, QueryReturnType type) {
        var registry = new QueryRegistry(query);
        registry.setReturnType(type);
        return new QueryRegistryTransformer(EBXML).toEbXML(registry).getInternal();
    }

    private static Object ebxml(DocumentReference... references) {
        var request = new RetrieveDocumentSet();
        request.getDocuments().addAll(List.of(references));
        return new RetrieveDocumentSetRequestTransformer(EBXML).toEbXML(request).getInternal();
    }

    /** The answer to a query; an empty one without status when there is none. */
    private static QueryResponse queried(Reply reply) {
        return reply.body() instanceof AdhocQueryResponse body
                ? new QueryResponseTransformer(EBXML).fromEbXML(new EbXMLQueryResponse30(body)) : new QueryResponse();
    }

    private static RetrievedDocumentSet retrieved(Reply reply) {
        return reply.body() instanceof RetrieveDocumentSetResponseType body
                ? new RetrieveDocumentSetResponseTransformer(EBXML).fromEbXML(new EbXMLRetrieveDocumentSetResponse30(body))
                : new RetrievedDocumentSet();
    }

    static String status(Response answer) {
        return switch (Objects.toString(answer.getStatus(), "")) {
            case "SUCCESS" -> "Success";
            case "FAILURE" -> "Failure";
            case "PARTIAL_SUCCESS" -> "PartialSuccess";
            default -> "";
        };
    }

    private static boolean succeeded(Response answer) {
        return status(answer).equals("Success");
    }

    static List<String> codes(Response answer) {
        return answer.getErrors().stream().map(XcaCases::code).toList();
    }

    private static String code(ErrorInfo error) {
        return error.getCustomErrorCode() != null ? error.getCustomErrorCode() : error.getErrorCode().getOpcode();
    }

    /** Failure with exactly this code, located at our target's home and naming {@code id}. */
    private Sheet.Outcome failed(Reply reply, Response answer, String code, String id) {
        var right = status(answer).equals("Failure") && !codes(answer).isEmpty()
                && answer.getErrors().stream().allMatch(error -> code(error).equals(code)
                        && Objects.toString(error.getLocation(), "").contains(demo.homeUrn())
                        && Objects.toString(error.getCodeContext(), "").contains(id));
        var got = describe(reply, answer);
        for (var error : answer.getErrors()) {
            got += " \"" + error.getCodeContext() + "\" at " + error.getLocation();
        }
        return Sheet.Outcome.of(reply, right, got);
    }

    private boolean atHome(QueryResponse answer) {
        return answer.getDocumentEntries().stream().allMatch(entry -> demo.homeUrn().equals(entry.getHomeCommunityId()));
    }

    private static boolean same(Demo.Doc document, DocumentEntry entry) {
        return document.uniqueId().equals(entry.getUniqueId()) && document.hash().equalsIgnoreCase(entry.getHash())
                && Long.valueOf(document.size()).equals(entry.getSize())
                && document.repository().equals(entry.getRepositoryUniqueId());
    }

    private boolean holds(RetrievedDocumentSet answer, Demo.Doc document) throws IOException, GeneralSecurityException {
        for (var found : answer.getDocuments()) {
            if (document.uniqueId().equals(found.getRequestData().getDocumentUniqueId())) {
                return same(document, found);
            }
        }
        return false;
    }

    private boolean same(Demo.Doc document, RetrievedDocument found) throws IOException, GeneralSecurityException {
        // XDS hashes are SHA-1 (ITI TF-3: 4.2.3.2.10).
        var digest = MessageDigest.getInstance("SHA-1");
        long size = 0;
        try (InputStream bytes = found.getDataHandler().getInputStream()) {
            var buffer = new byte[65_536];
            for (int read = bytes.read(buffer); read >= 0; read = bytes.read(buffer)) {
                digest.update(buffer, 0, read);
                size += read;
            }
        }
        return size == document.size() && HexFormat.of().formatHex(digest.digest()).equalsIgnoreCase(document.hash())
                && demo.homeUrn().equals(found.getRequestData().getHomeCommunityId())
                && document.repository().equals(found.getRequestData().getRepositoryUniqueId())
                && document.uniqueId().equals(found.getRequestData().getDocumentUniqueId());
    }

    static String describe(Reply reply, Response answer) {
        if (reply.isFault()) {
            return "fault " + String.join("/", reply.faults()) + " (HTTP " + reply.status() + ")";
        }
        if (answer.getStatus() == null) {
            return "";
        }
        var parts = new ArrayList<String>();
        parts.add(status(answer));
        if (answer instanceof QueryResponse query) {
            if (!query.getReferences().isEmpty()) {
                parts.add(query.getReferences().size() + " references");
            }
            parts.add(query.getDocumentEntries().size() + " entries");
        } else if (answer instanceof RetrievedDocumentSet set) {
            parts.add(set.getDocuments().size() + " documents");
        }
        parts.addAll(new TreeSet<>(codes(answer)));
        return String.join(", ", parts);
    }
}
