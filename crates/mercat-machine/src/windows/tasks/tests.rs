use super::*;

#[test]
fn only_principals_are_accounts_that_a_task_runs_as() {
    let task = "<Task><Triggers><LogonTrigger><UserId>A</UserId></LogonTrigger></Triggers>\
                <Principals><Principal><UserId> B\\C </UserId></Principal><Principal><UserId>D";
    assert_eq!(principals(task).collect::<Vec<_>>(), ["B\\C", "D"]);
    assert_eq!(principals("<Task/>").count(), 0);
}

#[test]
fn tasks_are_read_in_both_encodings_and_odd_bytes_do_no_harm() {
    let wide: Vec<u8> =
        [0xff, 0xfe].into_iter().chain("<T>é".encode_utf16().flat_map(u16::to_le_bytes)).collect();
    assert_eq!(text(&wide), "<T>é");
    assert_eq!(text("<T>é".as_bytes()), "<T>é");
    assert_eq!(text(&[0xff, 0xfe, 0x00, 0xd8, 0x41]), "\u{fffd}");
}
