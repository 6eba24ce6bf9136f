//! Names of the commands whose rights the engine asks about by itself, once a load has come back or for a query.

use std::ffi::CStr;

/// One row.
pub const READ: &CStr = c"pgcache.read";
/// Many rows.
pub const MULTIREAD: &CStr = c"pgcache.multiread";
/// The rows of a statement.
pub const QUERY: &CStr = c"pgcache.query";
/// What is known of a row or a query.
pub const INSPECT: &CStr = c"pgcache.inspect";
/// Whether the answer of the next command may be kept.
pub const NEAR: &CStr = c"pgcache.near";
/// Names for queries.
pub const DEFINE: &CStr = c"pgcache.define";
