package peer;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import java.io.PrintStream;
import java.util.List;

/** The cases of one run: each is printed as one JSON line when it is judged. */
final class Sheet {
    private static final ObjectMapper JSON = new ObjectMapper();
    private final PrintStream out;
    private final Client client;
    private boolean allHeld = true;

    Sheet(PrintStream out, Client client) {
        this.out = out;
        this.client = client;
    }

    /** What came back, in few words, and whether it is what was expected. */
    record Outcome(boolean held, String got) {
        /** An answer that is judged by {@code right}; nothing unsound ever holds. */
        static Outcome of(Reply reply, boolean right, String got) {
            return reply.sound() ? new Outcome(right, got)
                    : new Outcome(false, (got.isEmpty() ? "" : got + "; ") + String.join("; ", reply.trouble()));
        }
    }

    /** One case. */
    interface Step {
        Outcome run() throws Exception;
    }

    void judge(String transaction, String name, String expected, Step step) {
        client.resetClock();
        Outcome outcome;
        try {
            outcome = step.run();
        } catch (Exception error) {
            outcome = new Outcome(false, "the case broke: " + error);
        }
        allHeld &= outcome.held();
        var line = JsonNodeFactory.instance.objectNode()
                .put("case", name).put("transaction", transaction).put("expected", expected)
                .put("got", outcome.got()).put("held", outcome.held())
                .put("ms", Math.round(client.milliseconds() * 10) / 10.0);
        out.println(JSON.valueToTree(line).toString());
        out.flush();
    }

    /** A case that has to end in a SOAP fault with one of {@code codes} as its innermost code. */
    void judgeFault(String transaction, String name, int status, List<String> codes, Call call) {
        var which = status == 0 ? "" : " with HTTP " + status;
        judge(transaction, name, "fault " + String.join(" or ", codes) + which, () -> {
            var reply = call.send();
            if (!reply.isFault()) {
                return Outcome.of(reply, false, reply.body() == null ? "" : "an answer, no fault");
            }
            var right = codes.contains(reply.fault())
                    && (status == 0 ? reply.status() == 400 || reply.status() == 500 : reply.status() == status);
            return Outcome.of(reply, right, "fault " + String.join("/", reply.faults()) + " (HTTP " + reply.status() + ")");
        });
    }

    /** Sends one request. */
    interface Call {
        Reply send() throws Exception;
    }

    boolean allHeld() {
        return allHeld;
    }
}
