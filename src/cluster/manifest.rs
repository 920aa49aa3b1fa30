//! Texts for what starts agents elsewhere: Kubernetes, Slurm, systemd and Compose. wsbench is none of them.

use std::fmt::Write as _;

use strum::{Display, EnumString, VariantNames};

/// What starts the agents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Display, EnumString, VariantNames)]
#[strum(serialize_all = "lowercase")]
pub enum Launcher {
    /// An indexed Job.
    Kubernetes,
    /// A script for `sbatch`.
    Slurm,
    /// A unit of a service.
    Systemd,
    /// A file for `docker compose` or `podman compose`.
    Compose,
}

impl Launcher {
    /// Whether it has a use for the number of agents.
    #[must_use]
    pub fn counts(self) -> bool {
        self != Self::Systemd
    }

    /// Whether it gives each agent so many cores.
    #[must_use]
    pub fn gives_cores(self) -> bool {
        matches!(self, Self::Kubernetes | Self::Slurm)
    }

    /// Whether it starts agents in containers, by an image; the others start the program as it is.
    #[must_use]
    pub fn is_of_containers(self) -> bool {
        matches!(self, Self::Kubernetes | Self::Compose)
    }
}

/// How an agent is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agents {
    /// As many.
    pub count: u32,
    /// Where the NATS server is, without a password.
    pub nats: String,
    /// Whether it is spoken to without TLS.
    pub insecure: bool,
    /// The file with the key of the agents.
    pub key: Option<String>,
    /// The file with the certificates that agents trust instead of the system's.
    pub ca: Option<String>,
    /// The targets that they may aim at; loopback only if there is none.
    pub targets: Vec<String>,
    /// The program, where there is no image.
    pub program: String,
    /// The image, where there is one.
    pub image: String,
    /// The cores that each shall have.
    pub cores: u32,
}

impl Agents {
    /// Its files: the option, its name where the launcher brings it to, and where it is now.
    fn files(&self) -> impl Iterator<Item = (&'static str, &'static str, &str)> {
        let files = [
            ("--nkey", "agent.nk", &self.key),
            ("--nats-ca", "nats-ca.pem", &self.ca),
        ];
        files
            .into_iter()
            .filter_map(|(option, name, file)| Some((option, name, file.as_deref()?)))
    }

    /// The arguments of an agent whose files are in this folder; `None`: where they are now.
    fn arguments(&self, folder: Option<&str>, once: bool) -> Vec<String> {
        let mut words = vec!["agent".to_owned(), "--nats".to_owned(), self.nats.clone()];
        for (option, name, file) in self.files() {
            let there = folder.map(|folder| format!("{folder}/{name}"));
            words.extend([option.to_owned(), there.unwrap_or_else(|| file.to_owned())]);
        }
        if self.insecure {
            words.push("--insecure-nats".to_owned());
        }
        for target in &self.targets {
            words.extend(["--allow-target".to_owned(), target.clone()]);
        }
        if once {
            words.push("--once".to_owned());
        }
        words
    }

    /// The text for a launcher.
    #[must_use]
    pub fn manifest(&self, launcher: Launcher) -> String {
        match launcher {
            Launcher::Kubernetes => self.kubernetes(),
            Launcher::Slurm => self.slurm(),
            Launcher::Systemd => self.systemd(),
            Launcher::Compose => self.compose(),
        }
    }

    fn kubernetes(&self) -> String {
        let Self {
            count,
            image,
            cores,
            ..
        } = self;
        let arguments = self.arguments(Some("/keys"), true);
        let arguments = listed(&arguments, 12);
        let image = quoted(image);
        let from = self
            .files()
            .map(|(_, name, file)| format!(" --from-file={name}={}", shell(file)));
        let from: String = from.collect();
        let (mount, volume) = match from.is_empty() {
            true => ("", ""),
            false => (
                "            - name: keys\n              mountPath: /keys\n              readOnly: true\n",
                "        - name: keys\n          secret:\n            secretName: wsbench-agent\n",
            ),
        };
        let secret = match from.is_empty() {
            true => String::new(),
            false => {
                format!("# Its files, once: kubectl create secret generic wsbench-agent{from}\n")
            }
        };
        format!(
            "# {count} agents, each for one run: kubectl apply -f agents.yaml\n\
             {secret}\
             apiVersion: batch/v1
kind: Job
metadata:
  name: wsbench-agents
spec:
  # Each agent has an index, which is its label in the report.
  completionMode: Indexed
  completions: {count}
  parallelism: {count}
  # An agent that is started again is refused by the run that it was lost for.
  backoffLimit: 0
  ttlSecondsAfterFinished: 86400
  template:
    metadata:
      labels:
        app: wsbench-agent
    spec:
      restartPolicy: Never
      automountServiceAccountToken: false
      # Time for an agent to end its load when its pod has to go.
      terminationGracePeriodSeconds: 60
      securityContext:
        runAsNonRoot: true
        runAsUser: 65534
        fsGroup: 65534
        seccompProfile:
          type: RuntimeDefault
      # Agents on one node share its cores, its ports and its network.
      topologySpreadConstraints:
        - maxSkew: 1
          topologyKey: kubernetes.io/hostname
          whenUnsatisfiable: ScheduleAnyway
          labelSelector:
            matchLabels:
              app: wsbench-agent
      containers:
        - name: agent
          image: {image}
          args:
{arguments}          resources:
            # Requests without a limit of processor time: a generator that is throttled is late.
            requests:
              cpu: \"{cores}\"
              memory: 1Gi
            limits:
              memory: 4Gi
          securityContext:
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities:
              drop: [\"ALL\"]
          volumeMounts:
            # What an agent saw is kept here until it is handed in.
            - name: temporary
              mountPath: /tmp
            # Files that a scenario needs: mount a volume with them at /work, where their paths begin.
{mount}      volumes:
        - name: temporary
          emptyDir: {{}}
{volume}"
        )
    }

    fn slurm(&self) -> String {
        let Self { count, cores, .. } = self;
        let arguments = self.arguments(None, true);
        let words: Vec<String> = arguments.iter().map(|word| shell(word)).collect();
        format!(
            "#!/bin/bash
# {count} agents, each on a machine of its own and for one run: sbatch agents.sh
#SBATCH --job-name=wsbench-agents
#SBATCH --ntasks={count}
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task={cores}
#SBATCH --time=01:00:00
set -euo pipefail
# One descriptor for each connection.
ulimit -n \"$(ulimit -Hn)\"
# One agent that fails does not end the others; the run says what is missing.
exec srun --kill-on-bad-exit=0 {} {}
",
            shell(&self.program),
            words.join(" ")
        )
    }

    fn systemd(&self) -> String {
        let arguments = self.arguments(Some("%d"), false);
        let words: Vec<String> = arguments.iter().map(|word| unit_word(word)).collect();
        let files = self.files();
        let files =
            files.map(|(_, name, file)| format!("LoadCredential={name}:{}\n", unit_path(file)));
        let files: String = files.collect();
        format!(
            "# /etc/systemd/system/wsbench-agent.service, then: systemctl enable --now wsbench-agent
[Unit]
Description=Agent for load tests with wsbench
Wants=network-online.target
After=network-online.target

[Service]
ExecStart={} {}
{files}DynamicUser=yes
# One descriptor for each connection.
LimitNOFILE=1048576
Restart=always
RestartSec=2
# Time for an agent to end its load.
TimeoutStopSec=60
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes

[Install]
WantedBy=multi-user.target
",
            unit_word(&self.program),
            words.join(" ")
        )
    }

    fn compose(&self) -> String {
        let Self { count, image, .. } = self;
        let arguments = self.arguments(Some("/run/secrets"), false);
        let arguments = listed(&arguments, 6);
        let image = quoted(image);
        let mut text = format!(
            "# {count} agents on this machine: docker compose up
services:
  agent:
    image: {image}
    command:
{arguments}    # The ports and the speed of the machine, not those of a bridge.
    network_mode: host
    restart: unless-stopped
    stop_grace_period: 60s
    read_only: true
    # What an agent saw is kept here until it is handed in.
    tmpfs: [/tmp]
    # Files that a scenario needs: mount their folder at /work, where their paths begin.
    # volumes: [\"./load:/work/load:ro\"]
    cap_drop: [\"ALL\"]
    ulimits:
      nofile:
        soft: 1048576
        hard: 1048576
    deploy:
      replicas: {count}
"
        );
        let names: String = self
            .files()
            .map(|(_, name, _)| format!("      - {name}\n"))
            .collect();
        if !names.is_empty() {
            let files = self.files();
            let files =
                files.map(|(_, name, file)| format!("  {name}:\n    file: {}\n", quoted(file)));
            let files: String = files.collect();
            let _ = write!(
                text,
                "    secrets:\n{names}# The agents run as user 65534, who has to be able to read these.\nsecrets:\n{files}"
            );
        }
        text
    }
}

/// A list of YAML, one word a line.
fn listed(words: &[String], indent: usize) -> String {
    let lines = words
        .iter()
        .map(|word| format!("{:indent$}- {}\n", "", quoted(word)));
    lines.collect()
}

/// A text as YAML and JSON quote it. `$` would begin a variable of Compose and of Kubernetes' arguments.
fn quoted(text: &str) -> String {
    serde_json::to_string(text)
        .unwrap_or_default()
        .replace('$', "$$")
}

/// A word of a shell.
fn shell(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

/// A word of a command line of systemd; `%d` is left as it is: the folder of credentials.
fn unit_word(word: &str) -> String {
    let word = match word.strip_prefix("%d/") {
        Some(rest) => format!("%d/{}", rest.replace('%', "%%")),
        None => word.replace('%', "%%"),
    };
    let word = word
        .replace('\\', r"\\")
        .replace('"', "\\\"")
        .replace('$', "$$");
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,$".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word,
        false => format!("\"{word}\""),
    }
}

/// A path in a unit.
fn unit_path(path: &str) -> String {
    path.replace('%', "%%")
}
