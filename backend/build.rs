//! Makes sure that there is a folder to embed: the program builds without the pages, and then says
//! at `/` how to build them.

fn main() {
    println!("cargo::rerun-if-changed=../web/dist");
    if let Err(error) = std::fs::create_dir_all("../web/dist") {
        println!("cargo::error=the folder of the pages, ../web/dist, cannot be made: {error}");
    }
}
