use super::*;

#[test]
fn times_are_read_as_the_server_reads_them() {
    assert_eq!(seconds("180"), Some(180));
    assert_eq!(seconds("3m"), Some(180));
    assert_eq!(seconds("1h30M5"), Some(5405));
    assert_eq!(seconds("soon"), None);
    assert_eq!(seconds("99999999999999999999"), None);
    assert_eq!(keyword("ClientAliveInterval=180"), ("clientaliveinterval".to_owned(), "180"));
}
