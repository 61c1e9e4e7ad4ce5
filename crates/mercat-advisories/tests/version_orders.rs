//! Every version order against the comparator of its own ecosystem, where that is installed.

use mercat_advisories::versions::Scheme;
use std::cmp::Ordering;
use std::io::Write;
use std::process::{Command, Stdio};

/// Pairs of two versions of each order; a program is asked about more, among which are texts that are none.
const PAIRS: usize = 10_000;

/// A small generator of numbers, so that every run sees the same versions.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % sides
    }

    fn of<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.roll(list.len())]
    }
}

const NUMBERS: [&str; 12] = ["0", "1", "2", "9", "10", "11", "01", "00", "010", "100", "20260101", "3"];

/// Numbers with dots, then some of the tails.
fn version(dice: &mut Dice, numbers: &[&str], parts: usize, tails: &[&str], tails_max: usize) -> String {
    let mut out = dice.of(numbers).to_owned();
    for _ in 0..dice.roll(parts) {
        out.push('.');
        out.push_str(dice.of(numbers));
    }
    for _ in 0..dice.roll(tails_max + 1) {
        out.push_str(dice.of(tails));
    }
    out
}

/// Pairs of which half share their beginning.
fn pairs(
    (scheme, seed): (Scheme, u64),
    make: impl Fn(&mut Dice) -> String,
    tails: &[&str],
    keep: fn(&str) -> bool,
) -> Vec<(String, String)> {
    let mut dice = Dice(seed);
    let mut out = Vec::with_capacity(PAIRS);
    let mut versions = 0;
    while versions < PAIRS {
        let a = make(&mut dice);
        let b = match dice.roll(4) {
            0 => format!("{a}{}", dice.of(tails)),
            1 => {
                let cut = 1 + dice.roll(a.len());
                format!("{}{}", &a[..cut], dice.of(tails))
            }
            _ => make(&mut dice),
        };
        if keep(&a) && keep(&b) {
            versions += usize::from(scheme.compare(&a, &b).is_ok());
            out.push((a, b));
        }
    }
    out
}

fn behind_epoch(text: &str) -> &str {
    text.split_once(':').map_or(text, |(_, rest)| rest)
}

/// Gives a program the pairs, one a line, and reads one of `<`, `=`, `>` or `x` (no version) for each.
fn ask(program: &str, arguments: &[&str], pairs: &[(String, String)]) -> Option<Vec<char>> {
    let child = Command::new(program)
        .args(arguments)
        // A Node.js from elsewhere does not look where the distribution puts its modules.
        .env("NODE_PATH", "/usr/share/nodejs")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else { return skipped(&format!("{program} is not installed")) };
    let mut input = child.stdin.take().expect("piped");
    let text: String = pairs.iter().map(|(a, b)| format!("{a} {b}\n")).collect();
    let writer = std::thread::spawn(move || input.write_all(text.as_bytes()));
    let output = child.wait_with_output().expect("ends");
    let _ = writer.join().expect("no panic");
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        return skipped(&format!("{program} {arguments:?} failed: {}", said.trim()));
    }
    let signs = String::from_utf8(output.stdout).expect("text");
    let signs: Vec<char> = signs.chars().filter(|sign| "<=>x".contains(*sign)).collect();
    assert_eq!(signs.len(), pairs.len(), "{program} answered for every pair");
    Some(signs)
}

/// Says it past the harness, which keeps to itself what a test prints that passes.
fn skipped(why: &str) -> Option<Vec<char>> {
    let _ = writeln!(std::io::stderr(), "skipped: {why}");
    None
}

#[expect(clippy::print_stdout, reason = "a figure that is asked for")]
fn check(scheme: Scheme, pairs: &[(String, String)], signs: Option<Vec<char>>) {
    let Some(signs) = signs else { return };
    let mut different = Vec::new();
    for ((a, b), sign) in pairs.iter().zip(signs) {
        let ours = match scheme.compare(a, b) {
            Ok(Ordering::Less) => '<',
            Ok(Ordering::Equal) => '=',
            Ok(Ordering::Greater) => '>',
            Err(_) => 'x',
        };
        if ours != sign {
            different.push(format!("{a} {b}: ours {ours}, theirs {sign}"));
        }
    }
    let ordered = pairs.iter().filter(|(a, b)| scheme.compare(a, b).is_ok()).count();
    assert!(ordered >= PAIRS, "only {ordered} of {} pairs are versions", pairs.len());
    let few = different.iter().take(20).cloned().collect::<Vec<_>>().join("\n");
    assert!(different.is_empty(), "{} of {} differ by {scheme:?}:\n{few}", different.len(), pairs.len());
    println!("{scheme:?}: {} pairs, {ordered} of them of two versions, 0 differences", pairs.len());
}

#[test]
fn debian_versions_order_as_dpkg_orders_them() {
    let tails =
        ["~", "~rc1", "+deb12u1", "-1", "-2", "a", "+b1", "~~", ".1", "-0ubuntu1", "-1.1", "z", "+", "-0"];
    let make = |dice: &mut Dice| {
        let epoch = dice.of(&["", "", "", "0:", "1:", "2:"]);
        format!("{epoch}{}", version(dice, &NUMBERS, 4, &tails, 3))
    };
    let pairs = pairs((Scheme::Debian, 1), make, &tails, |text| {
        !behind_epoch(text).ends_with('-') && behind_epoch(text).starts_with(|c: char| c.is_ascii_digit())
    });
    let script = "while read -r a b; do if dpkg --compare-versions \"$a\" lt \"$b\"; then printf '<'; \
         elif dpkg --compare-versions \"$a\" eq \"$b\"; then printf '='; else printf '>'; fi; done";
    let found = Command::new("dpkg").arg("--version").output().is_ok();
    let signs = if found { ask("sh", &["-c", script], &pairs) } else { skipped("dpkg is not installed") };
    check(Scheme::Debian, &pairs, signs);
}

#[test]
fn rpm_versions_order_as_rpm_orders_them() {
    let tails = ["~", "~rc1", "^", "^git1", "a", ".el9", "_", "+", ".1", "b2", ".fc40", "~~", "^^", ".a"];
    let make = |dice: &mut Dice| {
        let epoch = dice.of(&["", "", "", "0:", "1:"]);
        let body = version(dice, &NUMBERS, 4, &tails, 3);
        format!("{epoch}{body}-{}{}", dice.of(&NUMBERS), dice.of(&tails))
    };
    let pairs = pairs((Scheme::Rpm, 2), make, &["", "~", "a", ".1", "^", ".el9"], |text| {
        let parts = behind_epoch(text).split_once('-');
        parts.is_some_and(|(version, release)| {
            version.starts_with(|c: char| c.is_ascii_digit()) && !release.is_empty()
        })
    });
    let script = "%{lua: for line in io.stdin:lines() do local a, b = line:match('([^ ]+) ([^ ]+)'); \
         local r = rpm.vercmp(a, b); print(r < 0 and '<' or r > 0 and '>' or '=') end}";
    check(Scheme::Rpm, &pairs, ask("rpm", &["--eval", script], &pairs));
}

#[test]
fn python_versions_order_as_packaging_orders_them() {
    let tails = [
        "a1", "b2", "rc1", ".post1", ".dev3", "+local.1", "-1", ".a", "_beta", "c1", "+1", "foo", ".dev",
        ".post",
    ];
    let make = |dice: &mut Dice| {
        let front = dice.of(&["", "", "", "v", "1!", "0!"]);
        format!("{front}{}", version(dice, &NUMBERS, 4, &tails, 3))
    };
    let pairs = pairs((Scheme::Pep440, 3), make, &tails, |_| true);
    let script = "
import sys
from packaging.version import Version, InvalidVersion
for line in sys.stdin:
    a, b = line.split()
    try:
        a, b = Version(a), Version(b)
    except InvalidVersion:
        print('x'); continue
    print('<' if a < b else '>' if a > b else '=')
";
    // The first on the path may be one that somebody made for something else.
    let has_packaging = |python: &&str| {
        let tried = Command::new(python).args(["-c", "import packaging"]).output();
        tried.is_ok_and(|output| output.status.success())
    };
    let signs = match ["python3", "/usr/bin/python3"].into_iter().find(has_packaging) {
        Some(python) => ask(python, &["-c", script], &pairs),
        None => skipped("no python3 here has the module packaging"),
    };
    check(Scheme::Pep440, &pairs, signs);
}

#[test]
fn npm_and_cargo_versions_order_as_npm_semver_orders_them() {
    let tails =
        ["-alpha", "-1", "-rc.1", ".2", "+build", "-a.b", "-x-y", ".10", "+1.2", ".a", "-01", "--", "-0"];
    let make = |dice: &mut Dice| {
        let mut numbers = || dice.of(&["0", "1", "2", "10", "11", "3"]);
        let front = format!("{}.{}.{}", numbers(), numbers(), numbers());
        let mut out = front;
        for _ in 0..dice.roll(4) {
            out.push_str(dice.of(&tails));
        }
        out
    };
    let pairs = pairs((Scheme::SemVer, 4), make, &tails, |_| true);
    let script = "
let semver; try { semver = require('semver') } catch { semver = require('/usr/share/nodejs/semver') }
for (const line of require('fs').readFileSync(0, 'utf8').trim().split('\\n')) {
    const [a, b] = line.split(' ')
    const valid = [a, b].every(v => semver.valid(v) && !/^[v=]/.test(v))
    console.log(!valid ? 'x' : '>=<'[1 - semver.compare(a, b)])
}";
    check(Scheme::SemVer, &pairs, ask("node", &["-e", script], &pairs));
}

#[test]
fn maven_versions_order_as_comparable_version_orders_them() {
    let tails = [
        "-alpha",
        "-beta2",
        "-SNAPSHOT",
        ".Final",
        "-ga",
        "-rc1",
        "a1",
        "b",
        "m3",
        "-sp",
        "-1",
        ".0",
        "-jre",
        "-x",
        ".x",
        "-cr2",
        "-0",
        "..",
        "--",
        "-RELEASE",
        ".1a",
        "-milestone",
    ];
    let make = |dice: &mut Dice| version(dice, &NUMBERS, 4, &tails, 4);
    // The program compares each version with the next.
    let mut dice = Dice(5);
    let mut chain: Vec<String> = vec![make(&mut dice)];
    while chain.len() <= PAIRS {
        let last = chain[chain.len() - 1].clone();
        let near = last.len() < 24 && dice.roll(2) == 0;
        chain.push(if near { format!("{last}{}", dice.of(&tails)) } else { make(&mut dice) });
    }
    let pairs: Vec<_> = chain.windows(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect();
    let jars = "/usr/share/java/maven-artifact-3.x.jar:/usr/share/java/commons-lang3.jar";
    let class = "org.apache.maven.artifact.versioning.ComparableVersion";
    let output = Command::new("java").args(["-cp", jars, class]).args(&chain).output();
    let signs = match output {
        Ok(output) if output.status.success() => {
            let text = String::from_utf8(output.stdout).expect("text");
            let lines = text.lines().filter(|line| line.starts_with(' '));
            let signs = lines
                .map(|line| line.split_whitespace().nth(1).and_then(|s| s.chars().next()).expect("a sign"));
            Some(signs.collect::<Vec<_>>())
        }
        _ => skipped("java with Maven's maven-artifact is not installed"),
    };
    if let Some(signs) = &signs {
        assert_eq!(signs.len(), pairs.len(), "Maven answered for every pair");
    }
    check(Scheme::Maven, &pairs, signs);
}

#[test]
fn gem_versions_order_as_rubygems_orders_them() {
    let tails = [".a", ".rc1", ".pre", "-1", "a", ".b2", ".0", "-x.1", ".Z", "b10", "_", ".pre.2", "--"];
    let make = |dice: &mut Dice| version(dice, &NUMBERS, 4, &tails, 3);
    let pairs = pairs((Scheme::RubyGems, 6), make, &tails, |_| true);
    let script = "
STDIN.each_line do |line|
  a, b = line.split(' ')
  unless Gem::Version.correct?(a) && Gem::Version.correct?(b)
    puts 'x'
    next
  end
  puts '<=>'[(Gem::Version.new(a) <=> Gem::Version.new(b)) + 1]
end";
    check(Scheme::RubyGems, &pairs, ask("ruby", &["-e", script], &pairs));
}

#[test]
fn packagist_versions_order_as_composer_orders_them() {
    let tails = [
        "-alpha1", "beta2", "-RC1", "-rc", "-p1", "-dev", ".1", "-stable", "+x", "-patch.2", "a", "-b.3",
        "RC", "_a1",
    ];
    let make = |dice: &mut Dice| {
        let front = dice.of(&["", "", "v"]);
        let numbers = ["0", "1", "2", "9", "10", "01", "3"];
        format!("{front}{}", version(dice, &numbers, 4, &tails, 2))
    };
    let pairs = pairs((Scheme::Packagist, 7), make, &tails, |_| true);
    let script = "
require '/usr/share/php/Composer/Semver/autoload.php';
$parser = new Composer\\Semver\\VersionParser();
while (($line = fgets(STDIN)) !== false) {
    [$a, $b] = explode(' ', trim($line));
    try { $x = $parser->normalize($a); $y = $parser->normalize($b); }
    catch (Exception $e) { echo 'x'; continue; }
    echo Composer\\Semver\\Comparator::lessThan($x, $y) ? '<' : (Composer\\Semver\\Comparator::greaterThan($x, $y) ? '>' : '=');
}";
    check(Scheme::Packagist, &pairs, ask("php", &["-r", script], &pairs));
}

#[test]
fn cran_versions_order_as_r_orders_them() {
    let tails = ["-1", "-0", ".0", "-10", ".9000", "-2.1", "a", "-rc1", ".", "-", "_1"];
    let make = |dice: &mut Dice| version(dice, &NUMBERS, 4, &tails, 2);
    let pairs = pairs((Scheme::R, 8), make, &tails, |_| true);
    let script = "
lines <- strsplit(readLines('stdin'), ' ')
a <- vapply(lines, `[`, '', 1)
b <- vapply(lines, `[`, '', 2)
is <- function(text) grepl(paste0('^', .standard_regexps()$valid_numeric_version, '$'), text)
whole <- is(a) & is(b)
x <- numeric_version(a[whole])
y <- numeric_version(b[whole])
signs <- rep('x', length(a))
signs[whole] <- ifelse(x < y, '<', ifelse(x > y, '>', '='))
writeLines(signs)
";
    check(Scheme::R, &pairs, ask("Rscript", &["--vanilla", "-e", script], &pairs));
}
