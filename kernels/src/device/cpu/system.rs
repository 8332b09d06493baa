//! What Linux tells of the processor. Files that are absent leave fields absent.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use attest::digest::Sha256;
use attest::statement::{Api, Conditions, Device as Facts, DeviceKind, Driver, Moment};

const CPU0: &str = "/sys/devices/system/cpu/cpu0";

pub(in crate::device) fn facts() -> Facts {
    let cpuinfo = read("/proc/cpuinfo").unwrap_or_default();
    let field = |name| colon_field(&cpuinfo, name).map(str::to_owned);
    Facts {
        id: "cpu:0".into(),
        api: Api::Cpu,
        kind: DeviceKind::Cpu,
        name: field("model name").unwrap_or_else(|| std::env::consts::ARCH.into()),
        vendor: field("vendor_id").unwrap_or_else(|| "unknown".into()),
        driver: Driver {
            name: std::env::consts::OS.into(),
            version: read("/proc/sys/kernel/osrelease").unwrap_or_else(|| "unknown".into()),
        },
        memory_bytes: meminfo_bytes("MemTotal").unwrap_or(0),
        compute_units: std::thread::available_parallelism()
            .ok()
            .and_then(|cores| u32::try_from(cores.get()).ok()),
        cache_bytes: last_level_cache_bytes(),
        features: features(),
    }
}

/// Names the machine without naming its owner: a digest of the machine's id, or of this boot where it has none.
pub(super) fn uuid() -> String {
    let id = read("/etc/machine-id").filter(|id| !id.is_empty());
    let id = id.or_else(|| read("/proc/sys/kernel/random/boot_id"));
    let digest = Sha256::of_parts(&[b"hallmark-cpu-v1\n", id.unwrap_or_default().as_bytes()]);
    digest.to_string()[..32].to_owned()
}

/// Memory that can be had without swapping.
pub(in crate::device) fn available_bytes() -> Option<u64> {
    meminfo_bytes("MemAvailable")
}

fn features() -> Vec<String> {
    #[cfg(target_arch = "x86_64")]
    let found = [
        ("avx2", is_x86_feature_detected!("avx2")),
        ("avx512f", is_x86_feature_detected!("avx512f")),
        ("f16c", is_x86_feature_detected!("f16c")),
        ("fma", is_x86_feature_detected!("fma")),
    ];
    #[cfg(not(target_arch = "x86_64"))]
    let found = [("neon", cfg!(target_feature = "neon"))];
    let present = found.into_iter().filter(|(_, present)| *present);
    present.map(|(name, _)| name.to_owned()).collect()
}

fn last_level_cache_bytes() -> Option<u64> {
    let indexes = fs::read_dir(Path::new(CPU0).join("cache")).ok()?;
    let levels = indexes.filter_map(|index| {
        let index = index.ok()?.path();
        let level: u32 = read(index.join("level"))?.parse().ok()?;
        Some((level, kibibytes(&read(index.join("size"))?)?))
    });
    levels.max().map(|(_, bytes)| bytes)
}

/// `32768K` as bytes.
fn kibibytes(text: &str) -> Option<u64> {
    text.strip_suffix('K')?.parse::<u64>().ok().map(|kib| kib << 10)
}

fn meminfo_bytes(name: &str) -> Option<u64> {
    let meminfo = read("/proc/meminfo")?;
    let kib = colon_field(&meminfo, name)?.strip_suffix(" kB")?;
    kib.parse::<u64>().ok().map(|kib| kib << 10)
}

/// The value of the first `name : value` line.
fn colon_field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim())
    })
}

fn read(path: impl AsRef<Path>) -> Option<String> {
    fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

fn number(path: impl AsRef<Path>) -> Option<u64> {
    read(path)?.parse().ok()
}

/// Counters that mean something only as differences.
pub(in crate::device) struct System {
    times: Mutex<Times>,
    packages: Mutex<Packages>,
    /// Thermal throttling events before the record, and before the sample.
    throttles: Mutex<Throttles>,
}

/// What the counter of throttling events stood at.
#[derive(Clone, Copy)]
struct Throttles {
    before_record: Option<u64>,
    last: Option<u64>,
}

impl System {
    pub(in crate::device) fn new() -> Self {
        Self {
            times: Mutex::new(Times::now().unwrap_or_default()),
            packages: Mutex::new(Packages::of(Path::new("/sys/class/powercap"))),
            throttles: Mutex::new(Throttles {
                before_record: throttle_count(),
                last: throttle_count(),
            }),
        }
    }

    pub(in crate::device) fn conditions(&self, moment: Moment) -> Conditions {
        Conditions {
            clock_mhz: clock_mhz(),
            temperature_celsius: temperature_celsius(),
            throttle: self.throttle(moment),
            steal_ppm: self.steal_ppm(),
            ..Conditions::untold(moment)
        }
    }

    /// Thermal throttling since the record began.
    fn throttle(&self, moment: Moment) -> Option<Vec<String>> {
        let now = throttle_count();
        let mut throttles = self.throttles.lock().expect("no holder panics");
        if moment == Moment::Before {
            *throttles = Throttles {
                before_record: now,
                last: now,
            };
        }
        let since = now?.checked_sub(throttles.before_record?)?;
        Some(if since > 0 { vec!["thermal".into()] } else { vec![] })
    }

    pub(in crate::device) fn throttled(&self) -> Option<bool> {
        let now = throttle_count();
        let mut throttles = self.throttles.lock().expect("no holder panics");
        let last = std::mem::replace(&mut throttles.last, now);
        Some(now? > last?)
    }

    /// Time the hypervisor gave to others since the last call, as a share of all time.
    fn steal_ppm(&self) -> Option<u64> {
        let now = Times::now()?;
        let mut last = self.times.lock().expect("no holder panics");
        let (all, stolen) = (
            now.all.checked_sub(last.all)?,
            now.stolen.checked_sub(last.stolen)?,
        );
        *last = now;
        Some(stolen * 1_000_000 / all.max(1))
    }

    pub(in crate::device) fn energy_millijoules(&self) -> Option<u64> {
        let mut packages = self.packages.lock().expect("no holder panics");
        packages.used_microjoules().map(|micro| micro / 1000)
    }
}

/// Ticks of all processors since boot.
#[derive(Clone, Copy, Default)]
struct Times {
    all: u64,
    stolen: u64,
}

impl Times {
    fn now() -> Option<Self> {
        Self::parse(read("/proc/stat")?.lines().next()?)
    }

    /// `cpu user nice system idle iowait irq softirq steal guest guest_nice`; guest time is also in user time.
    fn parse(line: &str) -> Option<Self> {
        let ticks = line.strip_prefix("cpu ")?.split_whitespace().take(8);
        let ticks: Vec<u64> = ticks.map_while(|tick| tick.parse().ok()).collect();
        Some(Self {
            all: ticks.iter().sum(),
            stolen: *ticks.get(7)?,
        })
    }
}

/// The energy counters (RAPL) of all processor packages.
struct Packages(Vec<Package>);

impl Packages {
    /// Those of a powercap tree. `intel-rapl` and `intel-rapl-mmio` can both list one package, which counts once. Without
    /// leave to read every one there is no sum, so there are none.
    fn of(tree: &Path) -> Self {
        let zones = fs::read_dir(tree).into_iter().flatten();
        let mut zones: Vec<PathBuf> = zones.filter_map(|zone| Some(zone.ok()?.path())).collect();
        zones.sort_by_key(|zone| (zone.to_string_lossy().contains("-mmio"), zone.clone()));
        let mut named: Vec<(String, Option<Package>)> = Vec::new();
        for zone in zones {
            let name = read(zone.join("name")).unwrap_or_default();
            if name.starts_with("package-") && !named.iter().any(|(known, _)| *known == name) {
                named.push((name, Package::of(&zone)));
            }
        }
        let packages = named.into_iter().map(|(_, package)| package);
        Self(packages.collect::<Option<_>>().unwrap_or_default())
    }

    /// Since this was made.
    fn used_microjoules(&mut self) -> Option<u64> {
        if self.0.is_empty() {
            return None;
        }
        self.0.iter_mut().map(Package::used_microjoules).sum()
    }
}

/// One counter. It returns to 0 after `range`: minutes on a processor that draws hundreds of watts, so it is to be read
/// more often than that.
struct Package {
    path: PathBuf,
    range: u64,
    last: u64,
    used: u64,
}

impl Package {
    fn of(zone: &Path) -> Option<Self> {
        Some(Self {
            range: number(zone.join("max_energy_range_uj"))?,
            last: number(zone.join("energy_uj"))?,
            path: zone.join("energy_uj"),
            used: 0,
        })
    }

    fn used_microjoules(&mut self) -> Option<u64> {
        let now = number(&self.path)?;
        let since = match now.checked_sub(self.last) {
            Some(since) => since,
            // Past its range the counter is not what it says it is.
            None => self.range.checked_sub(self.last)?.checked_add(now)?,
        };
        self.used = self.used.checked_add(since)?;
        self.last = now;
        Some(self.used)
    }
}

fn clock_mhz() -> Option<u64> {
    let governed = number(Path::new(CPU0).join("cpufreq/scaling_cur_freq")).map(|khz| khz / 1000);
    governed.or_else(|| {
        let cpuinfo = read("/proc/cpuinfo")?;
        let mhz: f64 = colon_field(&cpuinfo, "cpu MHz")?.parse().ok()?;
        Some(mhz as u64)
    })
}

fn throttle_count() -> Option<u64> {
    number(Path::new(CPU0).join("thermal_throttle/package_throttle_count"))
}

fn temperature_celsius() -> Option<i64> {
    let sensors = fs::read_dir("/sys/class/hwmon").ok()?;
    sensors.filter_map(Result::ok).find_map(|sensor| {
        let name = read(sensor.path().join("name"))?;
        let processor = ["k10temp", "coretemp", "zenpower", "cpu_thermal"].contains(&name.as_str());
        let milli: i64 = read(sensor.path().join("temp1_input"))?.parse().ok()?;
        processor.then_some(milli / 1000)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_described() {
        let facts = facts();
        assert!(facts.memory_bytes > 1 << 28, "{facts:?}");
        assert!(facts.compute_units > Some(0));
        assert!(!facts.name.is_empty());
        assert_eq!(uuid(), uuid());
        assert_eq!(uuid().len(), 32);
    }

    #[test]
    fn stolen_time_is_the_eighth_count() {
        let times = Times::parse("cpu  10 20 30 40 50 60 70 80 5 5").expect("eight counts");
        assert_eq!((times.all, times.stolen), (360, 80));
        assert!(Times::parse("cpu0 1 2").is_none());
    }

    /// A powercap tree of zones: folder, name, range, counter.
    fn powercap(zones: &[(&str, &str, &str, &str)]) -> tempfile::TempDir {
        let tree = tempfile::tempdir().expect("a folder");
        for (folder, name, range, counter) in zones {
            let zone = tree.path().join(folder);
            fs::create_dir(&zone).expect("a zone");
            for (file, text) in [
                ("name", name),
                ("max_energy_range_uj", range),
                ("energy_uj", counter),
            ] {
                fs::write(zone.join(file), format!("{text}\n")).expect("a file of the zone");
            }
        }
        tree
    }

    fn count(tree: &tempfile::TempDir, zone: &str, counter: &str) {
        fs::write(tree.path().join(zone).join("energy_uj"), counter).expect("a counter");
    }

    #[test]
    fn energy_is_that_of_the_packages_each_once_and_survives_a_wrap() {
        let tree = powercap(&[
            ("intel-rapl:0", "package-0", "262143328850", "262143000000"),
            ("intel-rapl:0:0", "core", "262143328850", "77"),
            ("intel-rapl:1", "package-1", "262143328850", "5000"),
            ("intel-rapl-mmio:0", "package-0", "262143328850", "9"),
            ("psys", "psys", "262143328850", "1"),
        ]);
        let mut packages = Packages::of(tree.path());
        assert_eq!(packages.0.len(), 2);
        assert_eq!(packages.used_microjoules(), Some(0));
        count(&tree, "intel-rapl:1", "7000");
        count(&tree, "intel-rapl-mmio:0", "2000");
        count(&tree, "intel-rapl:0:0", "3000");
        assert_eq!(packages.used_microjoules(), Some(2_000));

        let tree = powercap(&[("intel-rapl:0", "package-0", "1000000", "999000")]);
        let mut package = Packages::of(tree.path());
        for (counter, used) in [("1000", 2_000), ("500", 1_001_500), ("600", 1_001_600)] {
            count(&tree, "intel-rapl:0", counter);
            assert_eq!(package.used_microjoules(), Some(used), "at {counter}");
        }
        count(&tree, "intel-rapl:0", "2000000");
        assert!(package.used_microjoules().is_some());
        count(&tree, "intel-rapl:0", "1");
        assert_eq!(
            package.used_microjoules(),
            None,
            "a counter past its range is no counter"
        );
    }

    #[test]
    fn a_counter_that_may_not_be_read_leaves_no_sum() {
        let tree = powercap(&[
            ("intel-rapl:0", "package-0", "1000000", "1"),
            ("intel-rapl:1", "package-1", "1000000", "not for you"),
        ]);
        assert_eq!(Packages::of(tree.path()).used_microjoules(), None);
        assert_eq!(Packages::of(&tree.path().join("absent")).used_microjoules(), None);
    }

    #[test]
    fn sizes_and_fields_are_read_as_linux_writes_them() {
        assert_eq!(kibibytes("32768K"), Some(32 << 20));
        assert_eq!(
            colon_field("a\t: 1\nmodel name\t: AMD EPYC", "model name"),
            Some("AMD EPYC")
        );
    }
}
