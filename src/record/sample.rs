//! A head, for tests and fuzzing.

use super::head::{Head, Machine, PartOf, Recipe};

pub(super) fn head() -> Head {
    Head {
        part: PartOf {
            number: 2,
            parts: 4,
        },
        start_ns: 1_800_000_000_000_000_000,
        recipe: Recipe {
            wsbench: "0.1.0".to_owned(),
            seed: 1,
            scenario: "echo".to_owned(),
            is_file: false,
            text: "name = \"echo\"".to_owned(),
            changes: vec!["--connections 4".to_owned()],
            files: vec![("u.csv".to_owned(), "ab".to_owned())],
            plan: "cd".to_owned(),
        },
        machine: Machine {
            workers: 2,
            precise_timer: true,
            kernel_view: false,
            cores: Some(1.5),
            os: "linux".to_owned(),
            arch: "x86_64".to_owned(),
            kernel: None,
            cpus: Some(2),
            cpu_model: None,
            congestion_control: None,
        },
        name: None,
    }
}
