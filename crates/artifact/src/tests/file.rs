//! `file:` locations, and the ways out of a root.

use super::*;
use proptest::prelude::*;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;

/// Bytes outside of every root: no fetch may return them.
const SECRET: &[u8] = b"the operator's secret";

/// ```text
/// <directory>/outside/secret
/// <directory>/root-beside/secret
/// <directory>/root/a.wasm, deep/b.wasm, empty, and links and other things
/// ```
fn bench() -> Bench {
    let bench = Bench::new(|config| {
        let (directory, root) =
            (config.directory.parent().unwrap().to_owned(), config.directory.with_file_name("root"));
        lay_out(&directory, &root);
        config.file_roots = vec![root];
    });
    assert_eq!(
        fs::read(bench.directory.path().join("root/out-file")).unwrap(),
        SECRET,
        "the way out is there"
    );
    bench
}

fn lay_out(directory: &Path, root: &Path) {
    for path in ["outside", "root-beside", "root/deep"] {
        fs::create_dir_all(directory.join(path)).unwrap();
    }
    for path in ["outside/secret", "root-beside/secret"] {
        fs::write(directory.join(path), SECRET).unwrap();
    }
    fs::write(root.join("a.wasm"), b"a").unwrap();
    fs::write(root.join("deep/b.wasm"), b"b").unwrap();
    fs::write(root.join("empty"), b"").unwrap();
    fs::write(root.join("..."), b"dots").unwrap();
    symlink("deep/b.wasm", root.join("in-file")).unwrap();
    symlink("deep", root.join("in-dir")).unwrap();
    symlink("../a.wasm", root.join("deep/up")).unwrap();
    symlink("../outside/secret", root.join("out-file")).unwrap();
    symlink("../outside", root.join("out-dir")).unwrap();
    symlink(directory.join("outside/secret"), root.join("out-absolute")).unwrap();
    symlink("/", root.join("out-slash")).unwrap();
    symlink("loop", root.join("loop")).unwrap();
    mknodat(CWD, root.join("fifo"), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    drop(UnixListener::bind(root.join("socket")).unwrap());
}

#[tokio::test]
async fn files_below_a_root() {
    let bench = bench();
    let root = bench.directory.path().join("root");
    let root = root.to_str().unwrap();
    for (location, bytes) in [
        ("file:a.wasm".to_owned(), &b"a"[..]),
        ("file:./a.wasm".to_owned(), b"a"),
        ("file:deep/b.wasm".to_owned(), b"b"),
        ("file:deep//b.wasm".to_owned(), b"b"),
        ("file:deep/../a.wasm".to_owned(), b"a"),
        ("file:deep%2F..%2fa.wasm".to_owned(), b"a"),
        ("file:in-file".to_owned(), b"b"),
        ("file:in-dir/b.wasm".to_owned(), b"b"),
        ("file:in-dir/up".to_owned(), b"a"),
        ("file:...".to_owned(), b"dots"),
        ("file:empty".to_owned(), b""),
        (format!("file://{root}/a.wasm"), b"a"),
        (format!("file://localhost{root}/a.wasm"), b"a"),
        (format!("file:{root}/deep/b.wasm"), b"b"),
        (format!("file://{root}//deep/./b.wasm"), b"b"),
    ] {
        let fetched = bench.fetch(&location, Some(digest_of(bytes))).await;
        assert_eq!(fetched.unwrap().bytes(), bytes, "{location}");
    }
}

#[tokio::test]
async fn ways_out_are_closed() {
    let bench = bench();
    let directory = bench.directory.path().to_str().unwrap();
    for location in [
        "file:../outside/secret".to_owned(),
        "file:deep/../../outside/secret".to_owned(),
        "file:%2e%2e/outside/secret".to_owned(),
        "file:..%2foutside%2fsecret".to_owned(),
        "file:%2E%2E%2Foutside%2Fsecret".to_owned(),
        "file:deep/%2e%2e/%2e%2e/outside/secret".to_owned(),
        "file:../root-beside/secret".to_owned(),
        "file:..".to_owned(),
        "file:out-file".to_owned(),
        "file:out-dir/secret".to_owned(),
        "file:deep/../out-dir/secret".to_owned(),
        "file:out-absolute".to_owned(),
        "file:out-slash/etc/passwd".to_owned(),
        "file:/etc/passwd".to_owned(),
        "file:///etc/passwd".to_owned(),
        "file:////etc/passwd".to_owned(),
        "file://localhost/etc/passwd".to_owned(),
        "file:%2fetc%2fpasswd".to_owned(),
        "file:///proc/self/environ".to_owned(),
        "file:///dev/zero".to_owned(),
        format!("file://{directory}/outside/secret"),
        format!("file://{directory}/root-beside/secret"),
        format!("file://{directory}/root/../outside/secret"),
        format!("file://{directory}/root/%2e%2e/outside/secret"),
        format!("file://{directory}/root/out-file"),
        format!("file://{directory}"),
    ] {
        let error = bench.fetch(&location, None).await.unwrap_err();
        assert_eq!(error, ArtifactError::OutsideRoots { location: location.clone() });
    }
    assert_eq!((bench.blobs(), bench.temporaries()), (vec![], 0));
}

#[tokio::test]
async fn only_regular_files_are_read() {
    let bench = bench();
    let root = bench.directory.path().join("root");
    for (location, says) in [
        ("file:deep".to_owned(), "not a regular file"),
        ("file:deep/".to_owned(), "not a regular file"),
        ("file:.".to_owned(), "not a regular file"),
        (format!("file://{}", root.display()), "not a regular file"),
        ("file:fifo".to_owned(), "not a regular file"),
        ("file:socket".to_owned(), "No such device or address"),
        ("file:a.wasm/".to_owned(), "Not a directory"),
        ("file:a.wasm/b".to_owned(), "Not a directory"),
        ("file:nothing".to_owned(), "No such file"),
        ("file:loop".to_owned(), "symbolic links"),
        (format!("file:{}", "a".repeat(300)), "File name too long"),
    ] {
        let (cause, attempts) = unavailable(bench.fetch(&location, None).await);
        assert!(cause.contains(says), "{location}: {cause}");
        assert_eq!(attempts, 1, "{location}");
    }
}

#[tokio::test]
async fn a_checksum_and_the_bound_hold_for_files() {
    let bench = bench().reopened(|config| config.max_bytes = 3);
    let (expected, found) = (digest_of(b"z"), digest_of(b"a"));
    let error = bench.fetch("file:a.wasm", Some(expected)).await.unwrap_err();
    assert_eq!(error, ArtifactError::ChecksumMismatch { expected, found });
    let error = bench.fetch("file:...", None).await.unwrap_err();
    assert_eq!(error, ArtifactError::TooLarge { max_bytes: 3 });
    assert_eq!((bench.blobs(), bench.temporaries()), (vec![], 0));
}

#[tokio::test]
async fn without_roots_the_error_says_what_to_do() {
    let error = Bench::new(|_| {}).fetch("file:a.wasm", None).await.unwrap_err();
    assert_eq!(error, ArtifactError::NoRoots);
    assert!(error.to_string().contains("--artifact-root"), "{error}");
}

#[tokio::test]
async fn roots_are_searched_in_order() {
    let bench = bench().reopened(|config| {
        let second = config.directory.with_file_name("second");
        fs::create_dir(&second).unwrap();
        fs::write(second.join("a.wasm"), b"shadowed").unwrap();
        fs::write(second.join("c.wasm"), b"c").unwrap();
        config.file_roots.push(second);
    });
    assert_eq!(bench.fetch("file:a.wasm", None).await.unwrap().bytes(), b"a");
    assert_eq!(bench.fetch("file:c.wasm", None).await.unwrap().bytes(), b"c");
    let (cause, _) = unavailable(bench.fetch("file:d.wasm", None).await);
    assert!(cause.contains("No such file"), "{cause}");
}

#[tokio::test]
async fn a_root_is_known_by_its_link_and_by_its_target() {
    let bench = bench().reopened(|config| {
        let link = config.directory.with_file_name("link-to-root");
        symlink("root", &link).unwrap();
        config.file_roots = vec![link];
    });
    for root in ["root", "link-to-root"] {
        let location = format!("file://{}/{root}/a.wasm", bench.directory.path().display());
        assert_eq!(bench.fetch(location, None).await.unwrap().bytes(), b"a", "{root}");
    }
}

#[test]
fn a_root_that_is_not_there_stops_the_start() {
    let directory = TempDir::new().unwrap();
    let mut config = ArtifactConfig::new(directory.path().join("data"));
    config.file_roots = vec![directory.path().join("missing")];
    let error = ArtifactStore::open(config).err().unwrap();
    assert!(matches!(&error, ArtifactError::Storage(text) if text.contains("missing")), "{error:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Any path of the existing names, with every spelling of `.`, `..` and `/`, leads to a
    /// file inside of the root or to an error.
    #[test]
    fn no_walk_leads_outside(steps in walk(), absolute: bool) {
        thread_local! {
            static BENCH: (tokio::runtime::Runtime, Bench) = {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                let bench = runtime.block_on(async { bench() });
                (runtime, bench)
            };
        }
        BENCH.with(|(runtime, bench)| {
            let root = format!("//{}/root/", bench.directory.path().display());
            let location = format!("file:{}{}", if absolute { &root } else { "" }, steps.concat());
            match runtime.block_on(bench.fetch(&location, None)) {
                Ok(found) => prop_assert!(found.bytes() != SECRET, "{location}"),
                Err(
                    ArtifactError::OutsideRoots { .. }
                    | ArtifactError::InvalidLocation { .. }
                    | ArtifactError::Unavailable { .. },
                ) => {}
                Err(error) => prop_assert!(false, "{location}: {error:?}"),
            }
            Ok(())
        })?;
    }
}

fn walk() -> impl Strategy<Value = Vec<&'static str>> {
    let name = prop::sample::select(vec![
        "..",
        "..",
        "%2e%2e",
        ".%2E",
        ".",
        "%2e",
        "...",
        "",
        "root",
        "root-beside",
        "outside",
        "secret",
        "deep",
        "in-dir",
        "in-file",
        "up",
        "out-file",
        "out-dir",
        "out-absolute",
        "out-slash",
        "etc",
        "passwd",
        "a.wasm",
        "b.wasm",
        "fifo",
        "loop",
        "%00",
        "%",
        "%252e%252e",
    ]);
    let slash = prop::sample::select(vec!["/", "/", "/", "%2f", "%2F", "//", "\\", "%5c"]);
    prop::collection::vec((name, slash), 1..8).prop_map(|steps| {
        let mut walk: Vec<_> = steps.into_iter().flat_map(|(name, slash)| [name, slash]).collect();
        walk.pop();
        walk
    })
}
