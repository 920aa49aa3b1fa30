//! Checks the layers of `docs/design.md` section 1 and the house rules that a machine can check.
//! Works on the source as text, which is enough for these rules.

use std::fs;
use std::path::{Path, PathBuf};

/// The number of lines that a file should not exceed, tests included, and the number that it must not.
const SOFT_LINES: usize = 400;
const HARD_LINES: usize = 600;

/// The parts that each part of `src` may import besides itself.
const WALLS: &[(&str, &[&str])] = &[
    ("units", &[]),
    ("metric", &[]),
    ("frame", &[]),
    ("http", &["units"]),
    ("json", &[]),
    ("mqtt", &[]),
    ("scenario", &["units", "metric", "json", "mqtt"]),
    // The names and windows of measurements depend on the plan.
    (
        "plan",
        &[
            "units", "metric", "frame", "http", "json", "scenario", "measure",
        ],
    ),
    ("measure", &["units", "metric"]),
    // The system calls that need `unsafe`, or that several parts make.
    ("sys", &["measure"]),
    ("time", &["units", "sys", "scenario"]),
    (
        "net",
        &[
            "units", "metric", "frame", "http", "sys", "time", "scenario", "measure",
        ],
    ),
    (
        "engine",
        &[
            "units", "metric", "frame", "http", "json", "mqtt", "sys", "time", "net", "plan",
            "scenario", "measure",
        ],
    ),
    ("server", &["units", "metric", "sys", "net", "scenario"]),
    // The starts of freezes follow the same even sequence as those of connections.
    (
        "host",
        &["units", "metric", "net", "plan", "scenario", "measure"],
    ),
    (
        "relay",
        &["units", "metric", "time", "net", "scenario", "measure"],
    ),
    (
        "probe",
        &[
            "units", "metric", "frame", "time", "net", "scenario", "measure",
        ],
    ),
    // What processes of one run exchange are shards.
    ("record", &["units", "metric", "measure"]),
    // An address is written as a scenario's is, and a certificate is trusted as a target's is.
    (
        "cluster",
        &["units", "metric", "net", "measure", "record", "scenario"],
    ),
    // A run on many machines is led and played by the engine, and spoken of by way of a broker.
    (
        "fleet",
        &[
            "units", "metric", "measure", "record", "scenario", "engine", "cluster",
        ],
    ),
    ("verdict", &["units", "metric", "scenario", "measure"]),
    ("search", &["metric", "verdict"]),
    (
        "report",
        &[
            "units", "metric", "plan", "scenario", "measure", "server", "probe", "verdict",
            "search",
        ],
    ),
    // What is sent is stored under the names that reports use too.
    ("output", &["units", "metric", "measure", "report"]),
    // Serves what it is given.
    ("web", &[]),
    (
        "compare",
        &[
            "units", "metric", "scenario", "measure", "verdict", "report",
        ],
    ),
];

/// The parts that may import everything.
const TOP: &[&str] = &["cli", "fuzz", "lib", "main"];

struct Source {
    /// The path from the root of the repository, with forward slashes.
    path: String,
    text: String,
}

impl Source {
    /// The part: `engine` for both `src/engine.rs` and anything under `src/engine/`.
    fn part(&self) -> &str {
        let inside = self.path.strip_prefix("src/").unwrap_or(&self.path);
        let first = inside.split('/').next().unwrap_or(inside);
        first.strip_suffix(".rs").unwrap_or(first)
    }

    /// The lines with their numbers, without comments.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let numbered = (1..).zip(self.text.lines());
        numbered.map(|(number, line)| match line.split_once("//") {
            // Does not treat two slashes in a literal, such as an address, as a comment.
            Some((code, _)) if !code.ends_with(':') => (number, code),
            _ => (number, line),
        })
    }
}

/// All Rust files under a folder of the repository, at least one.
fn sources(folder: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources = Vec::new();
    let mut folders = vec![root.join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                let is_foreign = path.ends_with("node_modules") || path.ends_with(".venv");
                folders.extend((!is_foreign).then_some(path));
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                sources.push(Source {
                    text: fs::read_to_string(&path).unwrap(),
                    path: relative(root, &path),
                });
            }
        }
    }
    assert!(!sources.is_empty(), "no Rust file under {folder}");
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    sources
}

fn relative(root: &Path, path: &Path) -> String {
    let parts: PathBuf = path.strip_prefix(root).unwrap().into();
    let parts: Vec<_> = parts.iter().map(|part| part.to_string_lossy()).collect();
    parts.join("/")
}

fn assert_none(problems: Vec<String>, rule: &str) {
    assert!(problems.is_empty(), "{rule}\n  {}", problems.join("\n  "));
}

/// The parts of the crate that a piece of code imports: `crate::a::b` and the first segments of `crate::{a::b, c}`.
fn imports(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("crate::") {
        let is_whole_word = !text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let rest = text[at + "crate::".len()..].trim_start();
        if !is_whole_word {
            continue;
        }
        match rest.strip_prefix('{') {
            Some(list) => found.extend(heads(list)),
            None => found.extend(head(rest)),
        }
    }
    found
}

/// The first segments of a list such as `a::{b, c}, d`, up to its closing brace.
fn heads(list: &str) -> Vec<String> {
    let (mut depth, mut found, mut begins) = (0, Vec::new(), true);
    for (at, character) in list.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => begins = true,
            other if begins && !other.is_whitespace() => {
                found.extend(head(&list[at..]));
                begins = false;
            }
            _ => {}
        }
    }
    found
}

fn head(path: &str) -> Option<String> {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let name: String = path.chars().take_while(|c| is_name(*c)).collect();
    (!name.is_empty()).then_some(name)
}

#[test]
fn each_layer_imports_only_what_lies_below() {
    let mut problems = Vec::new();
    let mut seen = 0;
    for source in sources("src") {
        if TOP.contains(&source.part()) {
            continue;
        }
        let Some((part, allowed)) = WALLS.iter().find(|(part, _)| *part == source.part()) else {
            problems.push(format!(
                "{} has no walls; add its part to WALLS",
                source.path
            ));
            continue;
        };
        let code: Vec<&str> = source.code().map(|(_, line)| line).collect();
        for import in imports(&code.join("\n")) {
            seen += 1;
            if import != *part && !allowed.contains(&import.as_str()) {
                problems.push(format!("{} imports crate::{import}", source.path));
            }
        }
    }
    assert!(seen > 0, "no import was looked at");
    assert_none(problems, "these imports break a wall:");
}

#[test]
fn imports_are_found_in_every_form() {
    let code = "use crate::units::Rate;\nuse crate::{\n    metric::{Cause, Side},\n    plan,\n};\n\
        let x = crate::engine::run(); my_crate::cli::no(); use super::other;";
    assert_eq!(imports(code), ["units", "metric", "plan", "engine"]);
}

#[test]
#[expect(clippy::print_stdout, reason = "a list for people, not a failure")]
fn files_are_small() {
    let mut problems = Vec::new();
    let all = [sources("src"), sources("tests"), sources("examples")];
    for source in all.into_iter().flatten() {
        let lines = source.text.lines().count();
        if lines > HARD_LINES {
            problems.push(format!("{}: {lines}", source.path));
        } else if lines > SOFT_LINES {
            // Lists the files that grow too long; shown with `--nocapture`.
            println!("over {SOFT_LINES} lines: {}: {lines}", source.path);
        }
    }
    assert_none(problems, &format!("files of more than {HARD_LINES} lines:"));
}

#[test]
fn every_file_says_what_it_is_for() {
    let silent = sources("src").into_iter();
    let silent = silent.filter(|s| !s.text.starts_with("//!") && s.path != "src/main.rs");
    assert_none(
        silent.map(|source| source.path).collect(),
        "these files do not begin with `//!`:",
    );
}

#[test]
fn only_the_command_line_prints_and_exits() {
    const WORDS: &[&str] = &[
        "println!(",
        "print!(",
        "eprintln!(",
        "eprint!(",
        "dbg!(",
        "process::exit",
        "io::stdout",
        "io::stderr",
        "env::var",
    ];
    let below = sources("src").into_iter();
    let below = below.filter(|s| !matches!(s.part(), "cli" | "main"));
    assert_none(
        below.flat_map(|s| lines_with(&s, WORDS)).collect(),
        "only `src/cli` and `src/main.rs` print, exit and read the environment:",
    );
}

/// What is compared is the same whenever, and wherever, one looks; so is what a search tries next.
#[test]
fn comparing_and_searching_know_no_clock_no_socket_and_no_file() {
    const WORDS: &[&str] = &["std::time", "std::net", "std::fs", "SystemTime", "Instant"];
    let pure = ["src/compare", "src/search"]
        .map(sources)
        .into_iter()
        .flatten();
    let pure = pure.filter(|source| !source.path.contains("test"));
    assert_none(
        pure.flat_map(|s| lines_with(&s, WORDS)).collect(),
        "`src/compare` and `src/search` are pure:",
    );
}

#[test]
fn unsafe_code_stands_in_one_file() {
    let others = sources("src").into_iter();
    let others = others.filter(|source| source.path != "src/sys.rs");
    assert_none(
        others
            .flat_map(|s| lines_with(&s, &["unsafe ", "allow(unsafe_code", "expect(unsafe_code"]))
            .collect(),
        "`unsafe` belongs into src/sys.rs:",
    );
}

/// Who reads that a test was left out is told why, and which script runs it.
#[test]
fn ignored_tests_say_why_and_what_runs_them() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let is_told = |attribute: &str| {
        let told = attribute.strip_prefix("#[ignore = \"");
        let told = told.and_then(|told| told.strip_suffix("\"]"));
        let Some((why, script)) = told.and_then(|told| told.split_once("; run by ")) else {
            return false;
        };
        let script = script.split(' ').next().unwrap_or_default();
        !why.is_empty() && script.starts_with("scripts/") && root.join(script).is_file()
    };
    let (mut problems, mut seen) = (Vec::new(), 0);
    let all = [sources("src"), sources("tests"), sources("examples")];
    for source in all.into_iter().flatten() {
        for (number, line) in (1..).zip(source.text.lines()) {
            let line = line.trim();
            if line.starts_with("#[ignore") {
                seen += 1;
                if !is_told(line) {
                    problems.push(format!("{}:{number}: {line}", source.path));
                }
            }
        }
    }
    assert!(seen > 0, "no test is ignored");
    assert_none(
        problems,
        "write these as #[ignore = \"needs …; run by scripts/test\"]:",
    );
    assert!(is_told(
        "#[ignore = \"takes long; run by scripts/test --all\"]"
    ));
    let bare = ["#[ignore]", "#[ignore = \"takes long\"]"];
    let gone = "#[ignore = \"takes long; run by scripts/gone\"]";
    assert!(
        bare.iter()
            .chain([&gone])
            .all(|attribute| !is_told(attribute))
    );
}

/// A number of one must not be followed by a plural: `units::counted` writes both.
#[test]
fn nouns_are_counted_in_one_place() {
    const NOUNS: &[&str] = &[
        "answers",
        "attempts",
        "cohorts",
        "connections",
        "frames",
        "messages",
        "pings",
        "pongs",
        "samples",
        "times",
        "workers",
    ];
    let is_plural = |line: &str| {
        line.match_indices("} ").any(|(at, _)| {
            let what = line[..at].rsplit('{').next().unwrap_or_default();
            let is_constant = !what.is_empty() && what.to_uppercase() == what;
            let rest = &line[at + 2..];
            let noun = rest.split(|c: char| !c.is_alphanumeric()).next();
            !is_constant && NOUNS.contains(&noun.unwrap_or_default())
        })
    };
    let code = sources("src").into_iter();
    let code = code.filter(|source| !source.path.contains("test"));
    let mut problems = Vec::new();
    for source in code {
        let lines = source.code().filter(|(_, line)| is_plural(line));
        problems.extend(lines.map(|(number, line)| format!("{}:{number}: {line}", source.path)));
    }
    assert_none(
        problems,
        "these write \"1 pings\"; `units::counted` does not:",
    );
    assert!(is_plural("{n} pings") && is_plural("{} of {} pings;") && !is_plural("{MAX} pings"));
}

/// `alone` starts itself again, and cares for its descriptors in its `main`.
#[test]
fn what_tests_start_inherits_nothing_from_them() {
    const START: &[&str] = &["Command::new("];
    let allowed = [
        "tests/common/process.rs",
        "tests/alone/linux.rs",
        "tests/tidy.rs",
    ];
    let others = sources("tests").into_iter();
    let others = others.filter(|source| !allowed.contains(&source.path.as_str()));
    assert_none(
        others.flat_map(|s| lines_with(&s, START)).collect(),
        "tests start processes by `command` in tests/common/process.rs:",
    );
}

#[test]
fn nothing_is_left_for_later() {
    // Joins the words here, so that this file does not find itself.
    let words = [["TO", "DO"], ["FIX", "ME"], ["XX", "X"]].map(|word| word.concat());
    let mut problems = Vec::new();
    let all = [sources("src"), sources("tests"), sources("examples")];
    for source in all.into_iter().flatten() {
        for (number, line) in (1..).zip(source.text.lines()) {
            if words.iter().any(|word| line.contains(word.as_str())) {
                problems.push(format!("{}:{number}: {}", source.path, line.trim()));
            }
        }
    }
    assert_none(problems, "these lines put something off:");
}

/// The lines of code that contain one of these words.
fn lines_with(source: &Source, words: &[&str]) -> Vec<String> {
    let lines = source.code();
    let found = lines.filter(|(_, line)| words.iter().any(|word| line.contains(word)));
    found
        .map(|(number, line)| format!("{}:{number}: {}", source.path, line.trim()))
        .collect()
}
