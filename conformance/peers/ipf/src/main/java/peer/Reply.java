package peer;

import java.util.List;

/**
 * What came of one call: an answer, a SOAP fault, or neither.
 *
 * @param body       the answer as IPF gives it; null when there was none
 * @param faults     local names of fault code and subcodes, outermost first
 * @param status     HTTP status; 0 when no answer was read
 * @param trouble    why there is no answer, or what IPF's validators or our own checks reject in it
 */
record Reply(Object body, List<String> faults, int status, List<String> trouble) {
    boolean isFault() {
        return !faults.isEmpty();
    }

    boolean sound() {
        return trouble.isEmpty();
    }

    /** The innermost fault code, which says most. */
    String fault() {
        return faults.get(faults.size() - 1);
    }
}
