//! Records: what is kept among the entries, sealed, because it is saved and replicated with them.

pub mod all;
pub mod announcements;
pub mod home;
pub mod hooks;
pub mod name;
pub mod record;
pub mod signing;
