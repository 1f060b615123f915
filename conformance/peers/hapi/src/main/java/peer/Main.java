package peer;

import ca.uhn.fhir.context.FhirContext;
import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;

/** The command line: judges every Bundle of a folder by the definitions of some packages. */
final class Main {
    private static final String USAGE = """
            usage: FOLDER [--definition FILE.json]... [--package FILE.tgz]... [--allow-extensions PREFIX]... [--threads N]
                   FOLDER holds FHIR R4 Bundles, one in each *.json; definitions come first, packages in the order given.""";

    private Main() {}

    public static void main(String[] arguments) throws Exception {
        var definitions = new ArrayList<Path>();
        var packages = new ArrayList<Path>();
        var domains = new ArrayList<String>();
        int threads = 1;
        for (int at = 1; at < arguments.length; at += 2) {
            var value = at + 1 < arguments.length ? arguments[at + 1] : "";
            switch (value.isEmpty() ? "" : arguments[at]) {
                case "--definition" -> definitions.add(Path.of(value));
                case "--package" -> packages.add(Path.of(value));
                case "--allow-extensions" -> domains.add(value);
                case "--threads" -> threads = Integer.parseInt(value);
                default -> wrongUsage();
            }
        }
        if (arguments.length == 0 || !Files.isDirectory(Path.of(arguments[0]))) {
            wrongUsage();
        }
        try (var out = new PrintStream(System.out, false, StandardCharsets.UTF_8)) {
            judge(Path.of(arguments[0]), definitions, packages, domains, threads, out);
        } catch (Exception error) {
            // What was printed so far is not everything; the caller must not take it for that.
            error.printStackTrace();
            System.exit(3);
        }
        System.exit(0);
    }

    private static void wrongUsage() {
        System.err.println(USAGE);
        System.exit(2);
    }

    /** Each thread judges whole Bundles; lines come in the order of the files' names. */
    private static void judge(
            Path folder, List<Path> files, List<Path> packages, List<String> domains, int threads, PrintStream out) throws Exception {
        long started = System.nanoTime();
        var context = FhirContext.forR4();
        var definitions = Definitions.load(context, files, packages);
        var judge = new Judge(context, definitions, domains);
        System.err.printf("%d definitions of %d packages, %d not used, %.1f s%n", definitions.used().size(),
                packages.size(), definitions.leftOut().size(), (System.nanoTime() - started) / 1e9);
        var pool = Executors.newFixedThreadPool(threads);
        try {
            var work = bundles(folder).stream().<Callable<List<String>>>map(file -> () -> judge.lines(file)).toList();
            for (var done : pool.invokeAll(work)) {
                done.get().forEach(out::println);
            }
        } finally {
            pool.shutdownNow();
        }
        out.println(Judge.last(definitions, work(started)));
        System.err.printf("judged in %.1f s%n", (System.nanoTime() - started) / 1e9);
    }

    private static double work(long started) {
        return (System.nanoTime() - started) / 1e9;
    }

    private static List<Path> bundles(Path folder) {
        try (var files = Files.list(folder)) {
            return files.filter(file -> file.toString().endsWith(".json")).sorted().toList();
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }
}
