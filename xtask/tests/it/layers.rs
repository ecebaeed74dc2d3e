use expect_test::{Expect, expect};

use crate::{fixture, report, xtask};

fn check(case: &str, expected: Expect) {
    expected.assert_eq(&report(xtask(&fixture(case)).arg("layers").output().unwrap()));
}

#[test]
fn downward_edges_and_anything_in_tests_are_fine() {
    check(
        "good",
        expect![[r#"
        exit code 0
        layers: 6 members, every arrow points down
    "#]],
    );
}

#[test]
fn an_upward_edge_fails_even_behind_a_feature_of_the_build_script() {
    check(
        "upward",
        expect![[r#"
            exit code 1
            layers: `lower` (layer 0) depends on `upper` (layer 1): an upward edge, and an arrow only ever points to a lower layer. Cure: take it as a value or a trait that a crate above both passes in.
            error: 1 violation(s) of the layer rules
        "#]],
    );
}

#[test]
fn a_sideways_edge_fails() {
    check(
        "sideways",
        expect![[r#"
            exit code 1
            layers: `left` (layer 1) depends on `right` (layer 1): a sideways edge, and an arrow only ever points to a lower layer. Cure: move what is needed into a crate below layer 1, or take it as a value or a trait that a crate above both passes in.
            error: 1 violation(s) of the layer rules
        "#]],
    );
}

#[test]
fn a_forbidden_crate_fails_under_another_name_too() {
    check(
        "forbidden",
        expect![[r#"
        exit code 1
        layers: `pure` (layer 0) depends on `tokio`, which workspace.metadata.forbidden keeps out of it. Cure: do this work in a crate of a higher layer, behind a trait if need be.
        error: 1 violation(s) of the layer rules
    "#]],
    );
}

#[test]
fn a_confined_crate_fails_outside_its_home() {
    check(
        "confined",
        expect![[r#"
        exit code 1
        layers: `library` depends on `clap`, which workspace.metadata.confined allows in program only. Cure: use what those crates offer, or move the code there.
        error: 1 violation(s) of the layer rules
    "#]],
    );
}

#[test]
fn a_member_in_no_layer_fails() {
    check(
        "unlisted",
        expect![[r#"
        exit code 1
        layers: `stray` (crates/stray/Cargo.toml) is in no layer. Cure: add `stray = <layer>` to workspace.metadata.layers in the root Cargo.toml, or its name to `unlayered` if nothing but tests may use it.
        error: 1 violation(s) of the layer rules
    "#]],
    );
}

#[test]
fn a_name_that_is_no_member_fails() {
    check(
        "stale",
        expect![[r#"
        exit code 1
        layers: `gone` in workspace.metadata.layers is not a member of the workspace. Cure: correct the name, or take it out of the table.
        layers: `examples/*` in workspace.metadata.unlayered is not a member of the workspace. Cure: correct the name, or take it out of the table.
        layers: `lost` in workspace.metadata.forbidden is not a member of the workspace. Cure: correct the name, or take it out of the table.
        error: 3 violation(s) of the layer rules
    "#]],
    );
}

#[test]
fn a_layered_crate_may_use_an_unlayered_one_in_tests_only() {
    check(
        "unlayered",
        expect![[r#"
        exit code 1
        layers: `library` (layer 0) depends on `kit`, which is in no layer. Cure: make it a dev-dependency, or move what is needed into a layered crate.
        error: 1 violation(s) of the layer rules
    "#]],
    );
}

#[test]
fn a_member_is_in_the_layers_or_outside_them() {
    check(
        "twice",
        expect![[r#"
        exit code 1
        layers: `kit` is both in workspace.metadata.layers and in `unlayered`. Cure: keep it in one of the two.
        error: 1 violation(s) of the layer rules
    "#]],
    );
}

#[test]
fn a_workspace_without_layers_fails() {
    check(
        "no-table",
        expect![[r#"
        exit code 1
        error: expected a table [workspace.metadata.layers] in the root Cargo.toml, with `crate = layer` for every layered member: invalid type: null, expected struct Rules
    "#]],
    );
}
