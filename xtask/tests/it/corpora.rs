use std::fs;
use std::path::Path;

use crate::{report, xtask};

const PAIRS: &str =
    "{\"id\": 1, \"old\": \"a1\", \"new\": \"b2\"}\n{\"old\": \"a1\", \"new\": \"c3\"}\n";

/// A workspace without members in `workspace/`, and a corpus in `corpora/`.
fn set_up(root: &Path, pages: &[&str]) {
    fs::create_dir_all(root.join("workspace")).unwrap();
    fs::write(root.join("workspace/Cargo.toml"), "[workspace]\nresolver = \"3\"\n").unwrap();
    let drift = root.join("corpora/drift");
    fs::create_dir_all(&drift).unwrap();
    fs::write(drift.join("pairs.jsonl"), PAIRS).unwrap();
    let file = fs::File::create(drift.join("pages.tar.zst")).unwrap();
    let mut archive = tar::Builder::new(zstd::Encoder::new(file, 0).unwrap());
    for page in pages {
        let mut header = tar::Header::new_gnu();
        header.set_size(page.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, format!("{page}.html"), page.as_bytes()).unwrap();
    }
    archive.into_inner().unwrap().finish().unwrap();
}

fn corpora(root: &Path) -> String {
    let mut command = xtask(&root.join("workspace"));
    report(command.arg("corpora").env("TELEMETRY_CORPORA", root.join("corpora")).output().unwrap())
}

#[test]
fn pages_are_unpacked_once_and_again_when_one_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    set_up(folder.path(), &["a1", "b2", "c3"]);
    let pages = folder.path().join("workspace/target/corpora/drift");
    let first = corpora(folder.path());
    assert!(first.starts_with("exit code 0\n") && first.contains("(3 needed)"), "{first}");
    assert_eq!(fs::read_to_string(pages.join("b2.html")).unwrap(), "b2");

    fs::write(pages.join("mine.txt"), "kept while nothing is unpacked").unwrap();
    assert_eq!(corpora(folder.path()), first);
    assert!(pages.join("mine.txt").exists());

    fs::remove_file(pages.join("b2.html")).unwrap();
    assert_eq!(corpora(folder.path()), first);
    assert!(pages.join("b2.html").exists());
}

#[test]
fn a_page_that_the_archive_lacks_is_named() {
    let folder = tempfile::tempdir().unwrap();
    set_up(folder.path(), &["a1", "b2"]);
    let found = corpora(folder.path());
    assert!(found.starts_with("exit code 1\n") && found.contains("names page c3"), "{found}");
}

#[test]
fn without_corpora_both_places_are_named_and_the_exit_code_is_2() {
    let folder = tempfile::tempdir().unwrap();
    set_up(folder.path(), &[]);
    let root = folder.path().join("workspace");
    let found = report(xtask(&root).arg("corpora").output().unwrap());
    assert!(found.starts_with("exit code 2\n"), "{found}");
    assert!(found.contains("TELEMETRY_CORPORA") && found.contains("../shared/corpora"), "{found}");
}
