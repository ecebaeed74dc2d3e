//! One line of a spool file: CRC-32C of the JSON in eight hexadecimal digits, a space, the JSON.

const SUM: usize = 8;

/// Appends a line whose JSON `write` produces, newline included.
pub(super) fn write(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(b"00000000 ");
    write(out);
    let sum = format!("{:08x}", crc32c::crc32c(&out[start + SUM + 1..]));
    out[start..start + SUM].copy_from_slice(sum.as_bytes());
    out.push(b'\n');
}

/// The JSON of a line, without its newline; `None` when the line is not what was written.
pub(super) fn read(line: &[u8]) -> Option<&[u8]> {
    let (sum, rest) = line.split_at_checked(SUM)?;
    let json = rest.strip_prefix(b" ")?;
    let sum = u32::from_str_radix(std::str::from_utf8(sum).ok()?, 16).ok()?;
    (crc32c::crc32c(json) == sum).then_some(json)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_byte_is_noticed() {
        let mut line = Vec::new();
        write(&mut line, |out| out.extend_from_slice(b"{\"a\":1}"));
        let line = line.strip_suffix(b"\n").unwrap();
        assert_eq!(read(line), Some(&b"{\"a\":1}"[..]));
        for at in 0..line.len() {
            let mut damaged = line.to_vec();
            damaged[at] ^= 0x01;
            assert_eq!(read(&damaged), None, "byte {at}");
            assert_eq!(read(&line[..at]), None, "cut at {at}");
        }
    }
}
