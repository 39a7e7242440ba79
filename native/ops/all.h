// The list of op types: what can be called by name, and what every back end must have.
#pragma once

#include "activation.h"
#include "attention.h"
#include "attention_order.h"
#include "contrast.h"
#include "embed.h"
#include "layout.h"
#include "linear.h"
#include "matrix.h"
#include "maxsim.h"
#include "norm.h"
#include "optimize.h"
#include "optimize8.h"
#include "order.h"
#include "pool.h"
#include "quantized.h"
#include "rotary.h"
#include "topk.h"
#include "weights.h"

namespace inbatch {

template <class... Op>
struct OpList {};

using AllOps =
    OpList<LinearPack, LinearUnpack, LinearForward, LinearBackwardInput, LinearBackwardWeight,
           QuantizedPack, QuantizedForward, ActivationForward, ActivationBackward, GateForward,
           GateBackward, Add, Dropout, NormForward, NormBackward, HeadNormForward, HeadNormBackward,
           Rotary, EmbedForward, EmbedBackward, AttentionOrder, AttentionForward, AttentionBackward,
           PoolForward, PoolBackward, LayerMeanForward, LayerMeanBackward, LayerMeanWeights,
           NormalizeForward, NormalizeBackward, AdamW, AdamW8, Lion, Adafactor, Clip, SumSquares,
           Blend, Exchange, Perturb, SquaredDistance, MapForward, MapBackward, CombineForward,
           CombineBackward, Reduce, Spread, RowDots, LogSumExpForward, LogSumExpBackward, Cut,
           Paste, Transpose, PickForward, PickBackward, GatherForward, GatherBackward,
           ContrastForward, ContrastBackward, RowNorms, OrderedPairs, MaxSimForward, MaxSimBackward,
           TopK>;

}  // namespace inbatch
