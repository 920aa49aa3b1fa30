//! What is installed beside the program: completions for shells, and man pages.

use std::fs;
use std::process::Output;

use super::common::process;

fn wsbench(arguments: &[&str]) -> Output {
    let program = env!("CARGO_BIN_EXE_wsbench");
    process::command(program).args(arguments).output().unwrap()
}

#[test]
fn each_shell_has_completions_that_know_the_commands_and_their_options() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = wsbench(&["completions", shell]);
        assert!(output.status.success(), "{shell}: {output:?}");
        let script = String::from_utf8(output.stdout).unwrap();
        for word in ["heartbeat-timeout", "baseline", "completions"] {
            assert!(script.contains(word), "{shell} knows no {word}");
        }
    }
    assert_eq!(wsbench(&["completions", "tcsh"]).status.code(), Some(2));
}

/// Bash itself completes a line with them, as it does for a user.
#[cfg(target_os = "linux")]
#[test]
fn bash_completes_a_command() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("wsbench.bash");
    fs::write(&script, wsbench(&["completions", "bash"]).stdout).unwrap();
    let line = format!(
        "source {}; COMP_WORDS=(wsbench ser); COMP_CWORD=1; _wsbench wsbench ser wsbench; echo \"${{COMPREPLY[*]}}\"",
        script.display()
    );
    let completed = process::command("bash").args(["-c", &line]).output();
    let completed = completed.unwrap();
    let said = String::from_utf8_lossy(&completed.stdout);
    assert_eq!(said.trim(), "serve", "{completed:?}");
}

#[test]
fn each_command_has_a_man_page() {
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("share/man1");
    let output = wsbench(&["man", pages.to_str().unwrap()]);
    assert!(output.status.success(), "{output:?}");
    for (page, word) in [
        ("wsbench.1", "EXTRA"),
        ("wsbench-run.1", "baseline"),
        ("wsbench-baseline-add.1", "SYNOPSIS"),
    ] {
        let text = fs::read_to_string(pages.join(page)).unwrap();
        assert!(text.contains(".TH "), "{page}: {text}");
        assert!(text.contains(word), "{page}: {text}");
    }
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let output = wsbench(&["man", file.to_str().unwrap()]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success());
    assert!(error.starts_with("error: failed to write "), "{error}");
    assert!(
        error.contains("it is no folder\nhint: name a folder"),
        "{error}"
    );
}
