//! zstd, with contexts that each thread keeps: making one costs more than a small block.

use std::cell::RefCell;
use std::io;
use zstd::bulk::{Compressor, Decompressor};

thread_local! {
    static PACKER: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
    static UNPACKER: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

/// Compresses at a level.
pub(crate) fn compress(raw: &[u8], level: i32) -> io::Result<Vec<u8>> {
    PACKER.with_borrow_mut(|kept| {
        let packer = match kept {
            Some(packer) => packer,
            None => kept.insert(Compressor::new(level)?),
        };
        packer.set_compression_level(level)?;
        packer.compress(raw)
    })
}

/// Decompresses what had at most `raw_len` bytes.
pub(crate) fn decompress(bytes: &[u8], raw_len: usize) -> io::Result<Vec<u8>> {
    UNPACKER.with_borrow_mut(|kept| {
        let unpacker = match kept {
            Some(unpacker) => unpacker,
            None => kept.insert(Decompressor::new()?),
        };
        unpacker.decompress(bytes, raw_len)
    })
}
