//! Links the module so that `MODULE UNLOAD` never unmaps its code.

fn main() {
    // r2d2's background threads are only told to stop, never joined: one that still returns
    // from a connection attempt after the server has unloaded the module must find its code.
    println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    println!("cargo:rerun-if-changed=build.rs");
}
