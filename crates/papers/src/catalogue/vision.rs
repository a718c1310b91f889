//! Detection, segmentation, early exit, self-supervised and generative models.

use offprint_lab::paper::{Field, Paper};

pub(super) const PAPERS: &[Paper] = &[
    Paper {
        slug: "cbnet",
        title: "CBNet: A Composite Backbone Network Architecture for Object Detection",
        date: "2021-07-01",
        authors: 8,
        arxiv: Some("2107.00420"),
        field: Field::Vision,
        summary: "Builds a stronger detector from several copies of one pre-trained backbone. The \
                  features of an assisting backbone's stages, projected and resized, are added to \
                  the inputs of the next backbone's stages; the last feeds the detection head, and \
                  the assisting ones get an auxiliary loss. Connection styles are compared with \
                  one another and with deeper or wider single backbones, for one- and two-stage \
                  detectors on COCO.",
        work: None,
    },
    Paper {
        slug: "crate-mae",
        title: "Masked Completion via Structured Diffusion with White-Box Transformers",
        date: "2024-04-03",
        authors: 5,
        arxiv: Some("2404.02446"),
        field: Field::Vision,
        summary: "A masked autoencoder in which each layer is derived rather than designed. \
                  Encoder layers compress tokens against a set of subspaces by an attention step \
                  and sparsify them by a step of ISTA; decoder layers invert this. The coding rate \
                  and sparsity of every layer can be measured. Compared with a standard masked \
                  autoencoder of equal depth and width, which has about three times the \
                  parameters, by reconstruction and probing.",
        work: None,
    },
    Paper {
        slug: "eco-m2f",
        title: "Efficient Transformer Encoders for Mask2Former-style models",
        date: "2024-04-23",
        authors: 6,
        arxiv: Some("2404.15244"),
        field: Field::Vision,
        summary: "Chooses per image how many encoder layers a Mask2Former segmentation model runs. \
                  The model is first trained so that any of several exits works, then the best \
                  depth is recorded for each training image, then a small gate learns to predict \
                  it; another trade-off between cost and quality repeats only the last two steps. \
                  Compared with the full encoder and fixed depths by quality and computation.",
        work: None,
    },
    Paper {
        slug: "gedi",
        title: "Unifying Self-Supervised Clustering and Energy-Based Models",
        date: "2023-12-29",
        authors: 2,
        arxiv: Some("2401.00873"),
        field: Field::Vision,
        summary: "Joins self-supervised clustering with an energy-based model of the images. The \
                  cluster logits of one network define both assignments and, through their \
                  log-sum-exp, an unnormalized density; the objective combines likelihood, \
                  agreement between augmented views and a uniform prior over clusters, which \
                  excludes collapsed solutions. Compared with SwAV, JEM and the objective without \
                  the generative part by clustering, generation and outlier detection.",
        work: None,
    },
    Paper {
        slug: "jei-dnn",
        title: "Jointly-Learned Exit and Inference for a Dynamic Neural Network : JEI-DNN",
        date: "2023-10-13",
        authors: 3,
        arxiv: Some("2310.09163"),
        field: Field::Vision,
        summary: "Adds early exits to a frozen backbone and trains the exit decisions and the \
                  intermediate classifiers together. Gates read uncertainty statistics of each \
                  classifier, the probabilities of leaving at each exit weigh the losses, and a \
                  cost term sets the trade-off between accuracy and computation. Compared with \
                  confidence thresholds by accuracy at a given cost, calibration and conformal set \
                  size.",
        work: None,
    },
    Paper {
        slug: "relational-box-fields",
        title: "Sequential Voting with Relational Box Fields for Active Object Detection",
        date: "2021-10-21",
        authors: 3,
        arxiv: Some("2110.11524"),
        field: Field::Vision,
        summary: "Finds the object that a hand manipulates in an image. Each pixel inside the \
                  current box predicts a new box; the majority vote replaces the box, and voting \
                  is repeated, starting from the hand. Because repeated prediction drifts from the \
                  training distribution, the voter is also trained by reinforcement learning on \
                  its own sequences. Compared with supervised training alone and with earlier \
                  detectors on 100DOH and MECCANO.",
        work: None,
    },
];
