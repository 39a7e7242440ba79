// The ops that have a kernel for cards so far; once it names all of AllOps, that takes its place.
#pragma once

#include "../ops/all.h"

namespace inbatch::cuda {

using PresentOps = OpList<
    // activation
    ActivationForward, ActivationBackward, GateForward, GateBackward, Add, Dropout,
    // attention
    AttentionForward, AttentionBackward,
    // contrast
    ContrastForward, ContrastBackward, RowNorms,
    // embed
    EmbedForward, EmbedBackward,
    // layout
    Cut, Paste, Transpose, PickForward, PickBackward, GatherForward, GatherBackward,
    // linear
    LinearPack, LinearUnpack, LinearForward, LinearBackwardInput, LinearBackwardWeight,
    // matrix
    MapForward, MapBackward, CombineForward, CombineBackward, Reduce, Spread, RowDots,
    LogSumExpForward, LogSumExpBackward,
    // maxsim
    MaxSimForward, MaxSimBackward,
    // norm
    NormForward, NormBackward, HeadNormForward, HeadNormBackward,
    // optimize
    AdamW, Lion, Adafactor, Clip, SumSquares,
    // optimize8
    AdamW8,
    // order
    OrderedPairs,
    // pool
    PoolForward, PoolBackward, LayerMeanForward, LayerMeanBackward, LayerMeanWeights,
    NormalizeForward, NormalizeBackward,
    // quantized
    QuantizedPack, QuantizedForward,
    // rotary
    Rotary,
    // topk
    TopK,
    // weights
    Blend, Exchange, Perturb, SquaredDistance>;

}  // namespace inbatch::cuda
