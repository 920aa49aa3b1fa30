//! The page of all commands is their help, as the program prints it. `WSBENCH_BLESS=1` writes it anew.

use std::{env, fs};

use super::common::process;
use super::root;

const PAGE: &str = "docs/commands.md";
const HEAD: &str = "\
<!-- Written by the test `the_page_of_commands_is_their_help`; WSBENCH_BLESS=1 writes it anew. -->

# Every command

What `wsbench COMMAND --help` prints, of each. `wsbench man DIR` writes it as man pages.
";

#[test]
#[cfg_attr(
    not(feature = "cluster"),
    ignore = "documents show the program with all that it can have"
)]
fn the_page_of_commands_is_their_help() {
    let mut text = HEAD.to_owned();
    add(&mut text, &[]);
    let path = root().join(PAGE);
    if env::var_os("WSBENCH_BLESS").is_some() {
        fs::write(&path, &text).unwrap();
    }
    let there = fs::read_to_string(&path).unwrap_or_default();
    let differs = there.lines().zip(text.lines()).find(|(is, was)| is != was);
    assert_eq!(differs, None, "{PAGE}: WSBENCH_BLESS=1 writes it anew");
    assert_eq!(there.len(), text.len(), "{PAGE}: WSBENCH_BLESS=1");
    assert!(text.matches("\n## wsbench ").count() > 20);
}

/// Adds the help of a command, and that of those below it.
fn add(text: &mut String, command: &[&str]) {
    let help = help(command);
    let title = [&["wsbench"][..], command].concat().join(" ");
    *text += &format!("\n## {title}\n\n```text\n{help}```\n");
    for below in subcommands(&help) {
        add(text, &[command, &[below]].concat());
    }
}

/// As wide as a column of text in the book.
fn help(command: &[&str]) -> String {
    let mut call = process::command(env!("CARGO_BIN_EXE_wsbench"));
    let output = call
        .args(command)
        .arg("--help")
        .env("COLUMNS", "80")
        .output();
    let output = output.unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The names in the list of commands, but for `help`.
fn subcommands(help: &str) -> impl Iterator<Item = &str> {
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let listed = listed.take_while(|line| !line.is_empty());
    // What does not fit into a line goes on below it, further to the right.
    let begun = listed.filter_map(|line| line.strip_prefix("  "));
    let begun = begun.filter(|line| !line.starts_with(' '));
    let names = begun.filter_map(|line| line.split_whitespace().next());
    names.filter(|name| *name != "help")
}
