//! The arguments of a call.

use redis_module::raw::RedisModuleString;

use super::super::text::bytes_of;

/// The arguments of a call, without the command's name.
#[derive(Debug, Clone, Copy)]
pub struct Arguments<'a> {
    pub(super) strings: &'a [*mut RedisModuleString],
}

impl<'a> Arguments<'a> {
    /// The bytes of argument `index`; `None` when there are fewer.
    pub fn get(&self, index: usize) -> Option<&'a [u8]> {
        // SAFETY: the server keeps the arguments alive and unchanged while the command runs.
        self.strings.get(index).map(|string| unsafe { bytes_of(*string) })
    }

    /// The bytes of each.
    pub fn all(&self) -> Vec<&'a [u8]> {
        self.iter().collect()
    }

    /// The bytes of each, one by one.
    pub fn iter(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let arguments = *self;
        (0..self.len()).filter_map(move |index| arguments.get(index))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.strings.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.strings.is_empty()
    }

    /// The bytes of argument `index`, which the spec requires.
    pub fn required(&self, index: usize) -> &'a [u8] {
        self.get(index).unwrap_or_default()
    }
}
