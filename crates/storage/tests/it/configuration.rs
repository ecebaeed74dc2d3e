use telemetry_interfaces::{Code, Durability};
use telemetry_storage::{Backend, StorageConfig, open};

#[test]
fn read_from_text() {
    let config: StorageConfig = serde_json::from_str(
        r#"{"path": "/data", "backend": "json", "durability": "batch", "sync_interval_ms": 50}"#,
    )
    .unwrap();
    assert_eq!(
        config,
        StorageConfig {
            path: "/data".into(),
            backend: Backend::Json,
            durability: Durability::Batch,
            sync_interval_ms: 50,
            ..StorageConfig::default()
        }
    );
    let unknown = serde_json::from_str::<StorageConfig>(r#"{"durabilty": "batch"}"#);
    assert!(unknown.unwrap_err().to_string().contains("durabilty"));
}

#[test]
fn ranges() {
    let check = |config: StorageConfig, field: &str, value: &str| {
        let error = config.validate().unwrap_err();
        let text = error.to_string();
        assert_eq!(error.code(), Code::Configuration);
        assert!(text.contains(field) && text.contains(value), "{text}");
    };
    StorageConfig::default().validate().unwrap();
    let default = StorageConfig::default;
    check(StorageConfig { sync_interval_ms: 0, ..default() }, "sync_interval_ms", "0");
    check(StorageConfig { max_selectors: 0, ..default() }, "max_selectors", "0");
    check(StorageConfig { segment_bytes: 100, ..default() }, "segment_bytes", "100");
    check(StorageConfig::at(""), "path", "empty");
}

#[test]
fn memory_is_always_there() {
    let config = StorageConfig { backend: Backend::Memory, ..StorageConfig::default() };
    assert_eq!(open(&config).unwrap().backend(), "memory");
}

#[cfg(not(feature = "segment"))]
#[test]
fn an_absent_backend_names_its_feature() {
    let directory = tempfile::tempdir().unwrap();
    let error = open(&StorageConfig::at(directory.path().join("store"))).err().unwrap();
    assert!(error.to_string().contains("enable the feature `segment`"), "{error}");
}
