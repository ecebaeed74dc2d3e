use crate::setup::{Place, ran};
use telemetry_runtime::{DEFAULT_FILE, TelemetryConfig};

#[test]
fn init_writes_every_setting_and_never_over_a_file() {
    let place = Place::new();
    place.run(&["init"]).code(0).shows(&["Wrote telemetry.toml", "telemetry config check"]);
    let written = std::fs::read_to_string(place.path("telemetry.toml")).unwrap();
    assert_eq!(written, DEFAULT_FILE);
    place.run_reading(&["config", "check"]).code(0).shows(&["ok  telemetry.toml"]);

    place.write("telemetry.toml", "# mine\n");
    place.run_reading(&["init"]).code(1).says(&[
        "TEL-004",
        "telemetry.toml",
        "--force",
        "nothing was written",
    ]);
    place.run(&["init", "--force"]).code(0);
    assert_eq!(std::fs::read_to_string(place.path("telemetry.toml")).unwrap(), DEFAULT_FILE);
    assert_eq!(place.files().len(), 1);
    let json = place.run(&["init", "--json", "--path", "other.toml"]).code(0).out;
    assert_eq!(json, "{\"written\":\"other.toml\"}\n");
    place.run_reading(&["init", "--path", "no/where.toml"]).code(2).says(&["no/where.toml"]);
}

#[test]
fn what_is_in_force() {
    let place = Place::new();
    place.write("telemetry.toml", "[storage]\npath = \"from-file\"\nsegment_bytes = 4096\n");
    let show = |args: &[&str], variable: Option<(&str, &str)>| {
        let mut command = place.command(&[&["config", "show"], args].concat());
        command.envs(variable);
        let out = ran(command.output().unwrap()).code(0).out;
        toml::from_str::<TelemetryConfig>(&out).unwrap().storage
    };
    let path =
        |storage: telemetry_runtime::storage::StorageConfig| storage.path.display().to_string();
    assert_eq!(path(show(&[], None)), "from-file");
    assert_eq!(show(&[], None).segment_bytes, 4096);
    assert_eq!(path(show(&[], Some(("TELEMETRY_STORAGE_PATH", "from-env")))), "from-env");
    assert_eq!(path(show(&[], Some(("TELEMETRY_STORE", "from-flag-env")))), "from-flag-env");
    let variable = Some(("TELEMETRY_STORE", "from-env"));
    assert_eq!(path(show(&["--store", "from-flag"], variable)), "from-flag");
}

#[test]
fn secrets_stay_hidden() {
    let place = Place::new();
    place.write(
        "telemetry.toml",
        "[[alerting.webhooks]]\nname = \"chat\"\nurl = \"https://u:pw@hooks.example/T0/abc\"\n\
         headers = { Authorization = \"Bearer s3cret\" }\n",
    );
    let shown = place.run(&["config", "show"]).code(0);
    for secret in ["s3cret", "pw", "T0/abc"] {
        assert!(!shown.out.contains(secret), "{}", shown.out);
    }
    shown.shows(&["https://hooks.example/(hidden)"]);
    place.run(&["config", "show", "--secrets"]).code(0).shows(&["s3cret", "T0/abc"]);
}
