//! The texts of `wsbench cluster manifest`, read as those read them who start agents by them.

use std::fs;

use k8s_openapi::api::batch::v1::Job;
use serde_json::Value;

use crate::common::process;
use crate::common::{Ended, Running};

/// What stands in all manifests: a target with what quotes and variables are made of.
const ARGUMENTS: [&str; 10] = [
    "--nats",
    "tls://nats.example.com:4222",
    "--nkey",
    "/etc/wsbench/agent.nk",
    "--nats-ca",
    "/etc/wsbench/own ca.pem",
    "--allow-target",
    "*.example.com",
    "--allow-target",
    "unix:/run/it's $HOME \"here\"",
];

#[track_caller]
fn manifest(kind: &str, more: &[&str]) -> Ended {
    let arguments = [
        &["cluster", "manifest", "--kind", kind],
        &ARGUMENTS[..],
        more,
    ]
    .concat();
    let ended = Running::call(tempfile::tempdir().unwrap(), &arguments, &[]).end();
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    ended
}

/// The arguments that an agent has to be given, with the names that its files have there.
fn is_whole(arguments: &[String], [key, ca]: [&str; 2], dollar: &str) {
    let wanted = [
        "agent",
        "--nats",
        "tls://nats.example.com:4222",
        "--nkey",
        key,
        "--nats-ca",
        ca,
        "--allow-target",
        "*.example.com",
        "--allow-target",
        &format!("unix:/run/it's {dollar}HOME \"here\""),
    ];
    assert_eq!(arguments[..wanted.len()], wanted);
}

/// What the instruction of the project's own container says.
#[track_caller]
fn containerfile(instruction: &str) -> String {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/Containerfile");
    let text = fs::read_to_string(file).unwrap();
    let said = text.lines().find_map(|line| line.strip_prefix(instruction));
    said.unwrap_or_else(|| panic!("no {instruction}"))
        .to_owned()
}

#[test]
fn kubernetes_reads_the_job() {
    let text = manifest("kubernetes", &["--agents", "3"]).stdout;
    let value: Value = serde_norway::from_str(&text).unwrap();
    let job: Job = serde_json::from_value(value.clone()).unwrap();
    // What the types do not know would be lost here.
    assert_eq!(serde_json::to_value(&job).unwrap(), value);
    let spec = job.spec.unwrap();
    assert_eq!(spec.completion_mode.as_deref(), Some("Indexed"));
    assert_eq!((spec.completions, spec.parallelism), (Some(3), Some(3)));
    let pod = spec.template.spec.unwrap();
    let container = &pod.containers[0];
    // The image begins with the program, by which no search would find it.
    assert_eq!(container.command, None);
    let runs_as = pod.security_context.unwrap().run_as_user.unwrap();
    assert_eq!(containerfile("USER "), format!("{runs_as}:{runs_as}"));
    assert_eq!(containerfile("ENTRYPOINT "), "[\"/wsbench\"]");
    let once = "kubectl create secret generic wsbench-agent --from-file=agent.nk=/etc/wsbench/agent.nk \
                --from-file=nats-ca.pem='/etc/wsbench/own ca.pem'\n";
    assert!(text.contains(once), "{text}");
    // Two `$` are one there, too.
    is_whole(
        container.args.as_ref().unwrap(),
        ["/keys/agent.nk", "/keys/nats-ca.pem"],
        "$$",
    );
    let mounts = container.volume_mounts.as_ref().unwrap();
    let mounted: Vec<&str> = mounts.iter().map(|mount| mount.name.as_str()).collect();
    let volumes = pod.volumes.as_ref().unwrap().iter();
    let volumes: Vec<&str> = volumes.map(|volume| volume.name.as_str()).collect();
    assert_eq!(
        (mounted, volumes),
        (vec!["temporary", "keys"], vec!["temporary", "keys"])
    );
    assert!(
        container
            .args
            .as_ref()
            .unwrap()
            .contains(&"--once".to_owned())
    );
}

#[test]
fn compose_reads_the_services() {
    let value: Value =
        serde_norway::from_str(&manifest("compose", &["--agents", "3"]).stdout).unwrap();
    let agent = &value["services"]["agent"];
    let words: Vec<String> = serde_json::from_value(agent["command"].clone()).unwrap();
    is_whole(
        &words,
        ["/run/secrets/agent.nk", "/run/secrets/nats-ca.pem"],
        "$$",
    );
    assert_eq!(agent["deploy"]["replicas"], 3);
    assert_eq!(
        value["secrets"]["agent.nk"]["file"],
        "/etc/wsbench/agent.nk"
    );
    assert_eq!(
        value["secrets"]["nats-ca.pem"]["file"],
        "/etc/wsbench/own ca.pem"
    );
    assert_eq!(agent["secrets"][0], "agent.nk");
    assert_eq!(agent["secrets"][1], "nats-ca.pem");
    assert_eq!(agent["image"], "localhost/wsbench");
    // The image begins with the program, by which no search would find it.
    assert_eq!(agent.get("entrypoint"), None);
}

/// What says nothing there, and what no agent would start with.
#[test]
fn what_a_launcher_has_no_use_for_is_refused() {
    let far = ["--nats", "tls://nats.example.com"];
    for (kind, options, says) in [
        ("systemd", &["--agents", "8"][..], "systemd with `--agents`"),
        ("systemd", &["--cores", "8"], "systemd with `--cores`"),
        ("systemd", &["--image", "a"], "systemd with `--image`"),
        ("slurm", &["--image", "a"], "slurm with `--image`"),
        ("compose", &["--cores", "8"], "compose with `--cores`"),
        ("compose", &["--program", "a"], "compose with `--program`"),
        (
            "kubernetes",
            &["--program", "a"],
            "kubernetes with `--program`",
        ),
        ("slurm", &["--agents", "1001"], "1001 is not in 1..=1000"),
        ("slurm", &["--allow-target", "http://x"], "write a host"),
    ] {
        let words = [&["cluster", "manifest", "--kind", kind], &far[..], options].concat();
        let refused = Running::call(tempfile::tempdir().unwrap(), &words, &[]).end();
        assert_eq!(refused.code, 2, "{}", refused.stdout);
        assert!(refused.stderr.contains(says), "{}", refused.stderr);
    }
    let words = ["cluster", "manifest", "--kind", "kubernetes"];
    let refused = Running::call(tempfile::tempdir().unwrap(), &words, &[]).end();
    assert_eq!(refused.code, 2, "{}", refused.stdout);
    assert!(
        refused.stderr.contains("its own pod\nhint: "),
        "{}",
        refused.stderr
    );
}

/// Runs the script with a `srun` that prints what it is given, and with bash's own check before.
#[test]
fn slurm_s_script_starts_the_agents() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("agents.sh");
    fs::write(&script, manifest("slurm", &["--agents", "3"]).stdout).unwrap();
    let checked = process::command("bash")
        .arg("-n")
        .arg(&script)
        .status()
        .unwrap();
    assert!(checked.success());
    let srun = folder.path().join("srun");
    fs::write(&srun, "#!/bin/sh\nprintf '%s\\n' \"$@\"\n").unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(&srun, mode).unwrap();
    let path = format!("{}:/usr/bin:/bin", folder.path().display());
    let ran = process::command("bash")
        .arg(&script)
        .env("PATH", path)
        .output()
        .unwrap();
    assert!(ran.status.success(), "{ran:?}");
    let words = String::from_utf8(ran.stdout).unwrap();
    let words: Vec<String> = words.lines().map(str::to_owned).collect();
    assert_eq!(
        words[..2],
        ["--kill-on-bad-exit=0", "/usr/local/bin/wsbench"]
    );
    let files = ["/etc/wsbench/agent.nk", "/etc/wsbench/own ca.pem"];
    is_whole(&words[2..], files, "$");
    let text = fs::read_to_string(&script).unwrap();
    assert!(text.starts_with("#!/bin/bash\n") && text.contains("\n#SBATCH --ntasks=3\n"));
}

#[test]
#[ignore = "needs systemd-analyze; run by scripts/test"]
fn systemd_has_nothing_to_say_about_the_unit() {
    let folder = tempfile::tempdir().unwrap();
    let unit = folder.path().join("wsbench-agent.service");
    let text = manifest("systemd", &["--program", env!("CARGO_BIN_EXE_wsbench")]).stdout;
    fs::write(&unit, &text).unwrap();
    let verified = process::command("systemd-analyze")
        .args(["verify", "--man=no"])
        .arg(&unit)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&verified.stderr).into_owned();
    let about = said
        .lines()
        .filter(|line| line.contains("wsbench-agent.service"));
    assert_eq!(about.collect::<Vec<_>>(), Vec::<&str>::new(), "{text}");
    assert!(verified.status.success(), "{said}");
    for line in [
        "LoadCredential=agent.nk:/etc/wsbench/agent.nk",
        "LoadCredential=nats-ca.pem:/etc/wsbench/own ca.pem",
        "--nkey %d/agent.nk --nats-ca %d/nats-ca.pem",
        "\"unix:/run/it's $$HOME \\\"here\\\"\"",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
}
