//! Timed work, alone or beside a peer: interleaved runs, peak memory, share of the machine's peak, instruction counts.

pub mod alone;
pub mod instructions;
pub mod machine;
pub mod peer;
pub mod summary;
pub mod time;
pub mod timing;

/// Benches that share a peer script, `bench/peers/<name>.py`.
pub struct Suite {
    /// `kernels`, `backbones`, or the slug of a paper.
    pub name: &'static str,
    pub benches: Vec<Bench>,
}

/// One piece of work that is timed.
#[derive(Clone, Copy)]
pub struct Bench {
    /// What is done, as the peer calls it.
    pub name: &'static str,
    /// Which of its sizes.
    pub scale: Scale,
    /// What it is summarized with.
    pub group: Group,
    /// Shapes and sizes, for a reader and for the peer.
    pub sizes: &'static [(&'static str, u64)],
    /// What it must reach.
    pub bars: Bars,
    /// How much it computes and moves, of its sizes.
    pub work: fn(&Bench) -> Work,
    /// Whether it happens in this process: only then its memory and its instructions can be told.
    pub in_process: bool,
    /// Prepares the work once and returns what runs it once.
    pub prepare: fn(&Bench) -> Box<dyn FnMut()>,
}

impl Bench {
    /// A bench of one size, in this process, without bars; the rest is set by struct update.
    pub const fn new(
        name: &'static str,
        group: Group,
        prepare: fn(&Bench) -> Box<dyn FnMut()>,
    ) -> Self {
        Self {
            name,
            scale: Scale::Only,
            group,
            sizes: &[],
            bars: Bars::NONE,
            work: |_| Work::default(),
            in_process: true,
            prepare,
        }
    }

    /// A size by name.
    ///
    /// # Panics
    /// If there is none: a mistake in the bench itself.
    pub fn size(&self, name: &str) -> usize {
        let size = self.sizes.iter().find(|(known, _)| *known == name);
        size.unwrap_or_else(|| panic!("bench {} has no size {name}", self.name))
            .1 as usize
    }

    /// The name that no other bench of its suite has: `linear/cached`.
    pub fn label(&self) -> String {
        match self.scale {
            Scale::Only => self.name.into(),
            Scale::Cached => format!("{}/cached", self.name),
            Scale::Typical => format!("{}/typical", self.name),
            Scale::Memory => format!("{}/memory", self.name),
        }
    }
}

/// Where the data of a bench lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// The bench has one size.
    Only,
    /// In the cache of a core.
    Cached,
    /// As large as in a typical training step.
    Typical,
    /// Larger than all caches.
    Memory,
}

/// Benches that are summarized together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Group {
    pub name: &'static str,
    /// Largest geometric mean of the ratios that meets the bar.
    pub mean: Option<f64>,
}

impl Group {
    /// A group without a bar of its own.
    pub const fn new(name: &'static str) -> Self {
        Self { name, mean: None }
    }
}

/// What a bench must not exceed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bars {
    /// Time over the peer's.
    pub ratio: Option<f64>,
    /// Time in milliseconds.
    pub ms: Option<f64>,
    /// Peak memory over the peer's.
    pub memory: Option<f64>,
}

impl Bars {
    pub const NONE: Self = Self {
        ratio: None,
        ms: None,
        memory: None,
    };

    /// Only the ratio of times.
    pub const fn ratio(ratio: f64) -> Self {
        Self {
            ratio: Some(ratio),
            ..Self::NONE
        }
    }
}

/// How much one run computes and moves; what nobody has counted is absent.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Work {
    /// Floating-point operations; a fused multiply-add is two.
    pub flops: Option<f64>,
    /// Bytes that must be read or written at least.
    pub bytes: Option<f64>,
}

impl Work {
    pub fn flops(flops: f64) -> Self {
        Self {
            flops: Some(flops),
            ..Self::default()
        }
    }

    pub fn bytes(bytes: f64) -> Self {
        Self {
            bytes: Some(bytes),
            ..Self::default()
        }
    }

    pub fn and_bytes(self, bytes: f64) -> Self {
        Self {
            bytes: Some(bytes),
            ..self
        }
    }
}
