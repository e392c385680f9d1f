//! Web assets are embedded in release builds: a build that came before them must be repeated when they appear. And the allocator of the
//! program is set up early.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=src/allocator/early.c");
    if std::env::var("PROFILE").as_deref() == Ok("release") {
        println!("cargo::rerun-if-changed=web/dist");
    }
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        let objects = cc::Build::new()
            .file("src/allocator/early.c")
            .compile_intermediates();
        for object in objects {
            println!("cargo::rustc-link-arg-bins={}", object.display());
        }
    }
}
