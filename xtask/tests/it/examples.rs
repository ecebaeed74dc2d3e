use crate::{fixture, report, xtask};

#[test]
fn programs_run_in_a_folder_of_their_own_and_a_failure_shows_their_output() {
    let root = fixture("examples");
    let target = tempfile::tempdir().unwrap();
    let mut command = xtask(&root);
    let found =
        report(command.arg("examples").env("CARGO_TARGET_DIR", target.path()).output().unwrap());
    assert!(found.starts_with("exit code 1\n"), "{found}");
    for part in [
        "fails failed: exit status: 3; its output:\nthis went wrong\n",
        "examples: library built (a library)\n",
        "examples: passes ran in ",
        "examples: serves built, not run: serves until it is stopped\n",
        "error: examples that fail: fails\n",
    ] {
        assert!(found.contains(part), "expected {part:?} in:\n{found}");
    }
    assert!(target.path().join("xtask/examples/passes/left-behind").exists());
}
