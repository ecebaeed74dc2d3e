use telemetry_runtime::interfaces::Code;
use telemetry_runtime::storage::Backend;
use telemetry_runtime::{DEFAULT_FILE, TelemetryConfig};

fn refused(text: &str) -> String {
    let error = TelemetryConfig::parse(text, "telemetry.toml").unwrap_err();
    assert_eq!(error.code(), Code::Configuration);
    error.to_string()
}

fn variables(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn the_file_that_init_writes_is_the_default() {
    let config = TelemetryConfig::parse(DEFAULT_FILE, "telemetry.toml").unwrap();
    assert_eq!(config, TelemetryConfig::default());
}

#[test]
fn the_file_that_init_writes_shows_every_setting() {
    let shown: toml::Table = DEFAULT_FILE.parse().unwrap();
    let all: toml::Table = toml::Table::try_from(TelemetryConfig::default()).unwrap();
    for (table, settings) in &all {
        for key in settings.as_table().unwrap().keys() {
            let explained = DEFAULT_FILE.contains(&format!("\n# {key} = "))
                || DEFAULT_FILE.contains(&format!("\n# [[{table}.{key}]]"));
            let set = shown.get(table).is_some_and(|table| table.get(key).is_some());
            assert!(set || explained, "{table}.{key} is missing");
        }
    }
}

#[test]
fn a_wrong_key_is_named_with_its_place() {
    let error = refused("[storage]\npath = \"a\"\nbackedn = \"json\"\n");
    for part in ["backedn", "line: 3", "column: 1", "telemetry.toml", "backend"] {
        assert!(error.contains(part), "{part} is missing: {error}");
    }
}

#[test]
fn a_value_out_of_range_is_named_with_its_range() {
    let error = refused("[collector]\nsweep_ms = 0\n");
    assert!(error.contains("collector.sweep_ms is 0, expected 1 to 50"), "{error}");
}

#[test]
fn a_rule_with_an_unknown_signal_is_refused_with_the_known_ones() {
    let error = refused(
        "[[alerting.rules]]\nid = \"a\"\nsignal = \"durration_ms\"\ncomparison = \">\"\nfire_at = 1\n",
    );
    for part in ["durration_ms", "duration_ms", "line: "] {
        assert!(error.contains(part), "{part} is missing: {error}");
    }
}

#[test]
fn the_environment_goes_over_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("telemetry.toml");
    std::fs::write(&file, "[storage]\nbackend = \"json\"\nsync_interval_ms = 7\n").unwrap();
    let environment = variables(&[
        ("TELEMETRY_STORAGE_BACKEND", "segment"),
        ("TELEMETRY_ENABLED", "false"),
        ("TELEMETRY_CORPORA", "elsewhere"),
        ("PATH", "/bin"),
    ]);
    let config = TelemetryConfig::load(Some(&file), environment).unwrap();
    assert_eq!(config.storage.backend, Backend::Segment);
    assert_eq!(config.storage.sync_interval_ms, 7);
    assert!(!config.collector.enabled);
}

#[test]
fn a_variable_that_names_no_setting_is_refused() {
    for (name, value) in [
        ("TELEMETRY_STORGE_PATH", "x"),
        ("TELEMETRY_STORAGE_PTH", "x"),
        ("TELEMETRY_STORAGE_BACKEND", "paper"),
    ] {
        let error = TelemetryConfig::load(None, variables(&[(name, value)])).unwrap_err();
        assert!(error.to_string().contains(name), "{error}");
    }
}

#[test]
fn a_missing_file_says_how_to_make_one() {
    let path = std::path::Path::new("no/such/telemetry.toml");
    let error = TelemetryConfig::load(Some(path), []).unwrap_err();
    assert!(error.to_string().contains("telemetry init"), "{error}");
}

#[test]
fn what_validation_refuses_is_named_with_its_place() {
    let rule = "[[alerting.rules]]\nsignal = \"duration_ms\"\ncomparison = \">\"\nfire_at = 1\n";
    for (text, line, column, part) in [
        ("[collector]\n\nsweep_ms = 0\n", 3, 1, "collector.sweep_ms"),
        ("[collector]\nback_pressure = { block_ms = 0 }\n", 2, 19, "block_ms"),
        ("[collector]\nprivacy.key = { env = \"\" }\n", 2, 9, "privacy.key"),
        ("[storage]\n  segment_bytes = 1\n", 2, 3, "storage.segment_bytes"),
        ("[reporting]\nslow_ratio = 0.5\n", 2, 1, "reporting.slow_ratio"),
        ("[alerting]\nmax_series = 0\n", 2, 1, "alerting.max_series"),
        (&format!("{rule}id = \"slow\"\n"), 1, 1, "rule: slow"),
        (&format!("{rule}id = \"\"\nlast = 9\n"), 5, 1, "alerting.rules.id"),
        (
            "[[alerting.webhooks]]\nname = \"a\"\nurl = \"http://a\"\n[[alerting.webhooks]]\n\
             name = \"b\"\nurl = \"ftp://b\"\n",
            6,
            1,
            "webhook: b",
        ),
    ] {
        let error = refused(text);
        let place = format!("file: telemetry.toml, line: {line}, column: {column}");
        for part in [part, &place, " — "] {
            assert!(error.contains(part), "{part} is missing: {error}");
        }
    }
}

#[test]
fn an_error_quotes_no_secret() {
    let webhook = "[[alerting.webhooks]]\nname = \"ops\"\nurl = \"https://hooks.example\"\n";
    for text in [
        format!("{webhook}headerz = {{ A = \"Bearer S3CRET\" }}\n"),
        format!("{webhook}headers = \"Bearer S3CRET\"\n"),
        format!("{webhook}headers = {{ A = \"Bearer S3CRET }}\n"),
        "[[alerting.webhooks]]\nname = \"ops\"\nurl = \"ftp://u:S3CRET@a/S3CRET\"\n".to_owned(),
        "[alerting]\nwebhooks = [\n  { name = \"a\", uri = \"https://a/S3CRET\" },\n]\n".to_owned(),
        "[storage]\napi_token = \"S3CRET\"\n".to_owned(),
    ] {
        let error = refused(&text);
        assert!(error.contains("line: "), "{error}");
        assert!(!error.contains("S3CRET"), "{error}");
    }
    for name in ["TELEMETRY_ALERTING_WEBHOOKS", "TELEMETRY_COLLECTOR_PRIVACY_KEY"] {
        let error = TelemetryConfig::load(None, variables(&[(name, "S3CRET")])).unwrap_err();
        assert!(error.to_string().contains(name), "{error}");
        assert!(!error.to_string().contains("S3CRET"), "{error}");
    }
}

#[test]
fn a_variable_takes_the_type_of_its_setting() {
    let config = TelemetryConfig::load(
        None,
        variables(&[
            ("TELEMETRY_REPORTING_SUCCESS_DROP", "0.2"),
            ("TELEMETRY_REPORTING_SLOW_RATIO", "2"),
            ("TELEMETRY_STORAGE_PATH", "2024"),
            ("TELEMETRY_COLLECTOR_SPOOL_DIR", "true"),
            ("TELEMETRY_COLLECTOR_BACK_PRESSURE", "{ block_ms = 5 }"),
            ("TELEMETRY_COLLECTOR_PRIVACY_REDACT", "false"),
            ("TELEMETRY_COLLECTOR_PRIVACY_KEEP_QUERY", "page, category"),
            ("TELEMETRY_COLLECTOR_PRIVACY_PSEUDONYMS", "[\"sessions\"]"),
            ("TELEMETRY_COLLECTOR_PRIVACY_KEY_ENV", "OUR_KEY"),
            ("TELEMETRY_ALERTING_COOLDOWN", "2m"),
        ]),
    )
    .unwrap();
    assert_eq!((config.reporting.success_drop, config.reporting.slow_ratio), (0.2, 2.0));
    assert_eq!(config.storage.path.as_os_str(), "2024");
    assert_eq!(config.collector.spool_dir.unwrap().as_os_str(), "true");
    assert_eq!(format!("{:?}", config.collector.back_pressure), "BlockMs(5)");
    let privacy = config.collector.privacy;
    assert!(!privacy.redact);
    assert_eq!(privacy.keep_query, ["page", "category"]);
    assert_eq!(privacy.pseudonyms.len(), 1);
    assert_eq!(format!("{:?}", privacy.key), "Env(\"OUR_KEY\")");
    assert_eq!(config.alerting.cooldown.unwrap().as_secs(), 120);
}

#[test]
fn a_variable_of_a_wrong_type_is_refused_with_the_right_one() {
    for (name, value, expected) in [
        ("TELEMETRY_ENABLED", "yes", "true or false"),
        ("TELEMETRY_COLLECTOR_SWEEP_MS", "1.5", "a whole number"),
        ("TELEMETRY_REPORTING_SUCCESS_DROP", "a lot", "a number"),
        ("TELEMETRY_COLLECTOR_PRIVACY_KEEP_QUERY", "[page", "a list"),
        ("TELEMETRY_COLLECTOR_SWEEP_MS", "0", "1 to 50"),
        ("TELEMETRY_COLLECTOR_PRIVACY_REDCT", "false", "redct"),
        ("TELEMETRY_COLLECTOR", "x", "a table"),
    ] {
        let error = TelemetryConfig::load(None, variables(&[(name, value)])).unwrap_err();
        for part in [name, expected, " — "] {
            assert!(error.to_string().contains(part), "{part} is missing: {error}");
        }
    }
}
