"""Which operations of TensorFlow a detector may be made of, and what those do that it may not.

The list holds what computes: on tensors, on variables, tables and lists that are in memory. It is long enough for
exports of the Object Detection API, Keras and TensorFlow 1. Whatever is not on it is refused, known or not; the other
tables only say why. Names are those of TensorFlow's registry. Used by safety.py and file_access.py.
"""

import re
from collections.abc import Mapping

_MATH = """
Abs AccumulateNV2 Acos Acosh Add AddN AddV2 All Any ApproximateEqual ArgMax ArgMin Asin Asinh Atan Atan2 Atanh
BatchMatMul BatchMatMulV2 BatchMatMulV3 BesselI0e BesselI1e Betainc Bincount BitwiseAnd BitwiseOr BitwiseXor Bucketize
Ceil ClipByValue Complex ComplexAbs Conj ConjugateTranspose Cos Cosh Cross Cumprod Cumsum CumulativeLogsumexp
DenseBincount Digamma Div DivNoNan Einsum Equal Erf Erfc Erfinv EuclideanNorm Exp Expm1 Floor FloorDiv FloorMod
Greater GreaterEqual HistogramFixedWidth Imag Inv Invert IsFinite IsInf IsNan L2Loss LeftShift Less LessEqual Lgamma
LinSpace Log Log1p
LogicalAnd LogicalNot LogicalOr MatMul Max Maximum Mean Min Minimum Mod Mul MulNoNan Ndtri Neg NextAfter NotEqual Pow
Prod Real RealDiv Reciprocal RightShift Rint Round Rsqrt SegmentMax SegmentMean SegmentMin SegmentProd SegmentSum
Select SelectV2 Sign Sin Sinh Sqrt Square SquaredDifference Sub Sum Tan Tanh TruncateDiv TruncateMod UnsortedSegmentMax
UnsortedSegmentMin UnsortedSegmentProd UnsortedSegmentSum Xdivy Xlog1py Xlogy
Cholesky MatrixBandPart MatrixDeterminant MatrixDiag MatrixDiagPart MatrixDiagPartV2 MatrixDiagPartV3 MatrixDiagV2
MatrixDiagV3 MatrixInverse MatrixSetDiag MatrixSetDiagV2 MatrixSetDiagV3 MatrixSolve MatrixTriangularSolve
"""

_ARRAY = """
BatchToSpace BatchToSpaceND Bitcast BroadcastArgs BroadcastGradientArgs BroadcastTo Cast CheckNumerics CheckNumericsV2
Concat ConcatOffset ConcatV2 Const DepthToSpace Diag DiagPart DynamicPartition DynamicStitch Empty EnsureShape
ExpandDims ExtractImagePatches Fill Gather GatherNd GatherV2 GuaranteeConst Identity IdentityN InplaceAdd InplaceSub
InplaceUpdate InvertPermutation ListDiff LowerBound MirrorPad OneHot OnesLike Pack Pad PadV2 ParallelConcat
ParallelDynamicStitch Placeholder PlaceholderV2 PlaceholderWithDefault PreventGradient Range Rank Reshape Reverse
ReverseSequence ReverseV2 Roll ScatterNd ScatterNdNonAliasingAdd Shape ShapeN Size Slice Snapshot SpaceToBatch
SpaceToBatchND SpaceToDepth Split SplitV Squeeze StopGradient StridedSlice TensorScatterAdd TensorScatterMax
TensorScatterMin TensorScatterSub TensorScatterUpdate TensorStridedSliceUpdate Tile Transpose Unique UniqueV2
UniqueWithCounts UniqueWithCountsV2 Unpack UnravelIndex UpperBound Where ZerosLike
"""

_NETWORK = """
ApproxTopK AvgPool AvgPool3D BatchNormWithGlobalNormalization BiasAdd BiasAddV1 Conv Conv2D Conv2DBackpropInput
Conv2DBackpropInputV2 Conv3D Conv3DBackpropInputV2 DataFormatDimMap DataFormatVecPermute DepthwiseConv2dNative
Dequantize Dilation2D Elu FakeQuantWithMinMaxArgs FakeQuantWithMinMaxVars FakeQuantWithMinMaxVarsPerChannel
FractionalAvgPool FractionalMaxPool FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3 FusedPadConv2D
FusedResizeAndPadConv2D InTopK InTopKV2 LRN LeakyRelu LogSoftmax MaxPool MaxPool3D MaxPoolV2 MaxPoolWithArgmax
NthElement QuantizeAndDequantize QuantizeAndDequantizeV2 QuantizeAndDequantizeV3 QuantizeAndDequantizeV4
QuantizeDownAndShrinkRange QuantizeV2 QuantizedAdd QuantizedAvgPool QuantizedBiasAdd QuantizedConcat QuantizedConcatV2
QuantizedConv2D QuantizedMatMul QuantizedMaxPool QuantizedMul QuantizedRelu QuantizedRelu6 QuantizedReshape
QuantizedResizeBilinear Relu Relu6 RequantizationRange Requantize Selu Sigmoid Softmax
SoftmaxCrossEntropyWithLogits Softplus Softsign SparseSoftmaxCrossEntropyWithLogits TopK TopKV2
UniformDequantize UniformQuantize UniformQuantizedAdd UniformQuantizedClipByValue UniformQuantizedConvolution
UniformQuantizedConvolutionHybrid UniformQuantizedDot UniformQuantizedDotHybrid UniformRequantize
"""

_GRADIENTS = """
AvgPoolGrad BiasAddGrad Conv2DBackpropFilter DepthwiseConv2dNativeBackpropFilter DepthwiseConv2dNativeBackpropInput
EluGrad FusedBatchNormGrad FusedBatchNormGradV2 FusedBatchNormGradV3 LeakyReluGrad MaxPoolGrad MaxPoolGradV2
MirrorPadGrad ReciprocalGrad Relu6Grad ReluGrad ResizeBicubicGrad ResizeBilinearGrad ResizeNearestNeighborGrad RsqrtGrad
SeluGrad SigmoidGrad SoftplusGrad SoftsignGrad SqrtGrad StridedSliceGrad TanhGrad
"""

_IMAGES = """
AdjustContrast AdjustContrastv2 AdjustHue AdjustSaturation CombinedNonMaxSuppression CropAndResize
DecodeAndCropJpeg DecodeBase64 DecodeBmp DecodeGif DecodeImage DecodeJpeg DecodePng DecodeRaw DecodeWebP
DrawBoundingBoxes DrawBoundingBoxesV2 EncodeBase64 EncodeJpeg EncodePng ExtractGlimpse ExtractGlimpseV2
ExtractJpegShape GenerateBoundingBoxProposals HSVToRGB ImageProjectiveTransformV2 ImageProjectiveTransformV3
NonMaxSuppression NonMaxSuppressionV2 NonMaxSuppressionV3 NonMaxSuppressionV4 NonMaxSuppressionV5
NonMaxSuppressionWithOverlaps RGBToHSV ResizeArea ResizeBicubic ResizeBilinear ResizeNearestNeighbor
SampleDistortedBoundingBox SampleDistortedBoundingBoxV2 ScaleAndTranslate
"""

_RANDOM = """
Multinomial RandomShuffle RandomStandardNormal RandomUniform RandomUniformInt StatelessMultinomial
StatelessRandomGetAlg StatelessRandomGetKeyCounter StatelessRandomNormal StatelessRandomNormalV2 StatelessRandomUniform
StatelessRandomUniformInt StatelessRandomUniformIntV2 StatelessRandomUniformV2 StatelessTruncatedNormal
StatelessTruncatedNormalV2 TruncatedNormal
"""

_CONTROL = """
Assert Case ControlTrigger DeviceIndex Enter Exit FakeParam If LoopCond Merge NextIteration NoOp PartitionedCall
RefEnter RefExit RefIdentity RefMerge RefNextIteration RefSelect RefSwitch StatefulPartitionedCall StatelessCase
StatelessIf StatelessWhile Switch While ToBool
"""

_STATE = """
AnonymousHashTable AnonymousMutableDenseHashTable AnonymousMutableHashTable AnonymousMutableHashTableOfTensors Assign
AssignAdd AssignAddVariableOp AssignSub AssignSubVariableOp AssignVariableOp CountUpTo DestroyResourceOp
DestroyTemporaryVariable DisableCopyOnRead HashTable HashTableV2 InitializeTable InitializeTableV2
IsVariableInitialized LookupTableExport LookupTableExportV2 LookupTableFind LookupTableFindV2 LookupTableImport
LookupTableImportV2 LookupTableInsert LookupTableInsertV2 LookupTableRemoveV2 LookupTableSize LookupTableSizeV2
MutableDenseHashTable MutableDenseHashTableV2 MutableHashTable MutableHashTableOfTensors MutableHashTableOfTensorsV2
MutableHashTableV2 ReadVariableOp ResourceCountUpTo ResourceGather ResourceGatherNd ResourceScatterAdd
ResourceScatterMax ResourceScatterMin ResourceScatterMul ResourceScatterNdAdd ResourceScatterNdSub
ResourceScatterNdUpdate ResourceScatterSub ResourceScatterUpdate ResourceStridedSliceAssign ScatterAdd ScatterNdAdd
ScatterNdSub ScatterNdUpdate ScatterSub ScatterUpdate StridedSliceAssign TemporaryVariable VarHandleOp
VarIsInitializedOp Variable VariableShape VariableV2
"""

_LISTS = """
EmptyTensorList TensorArray TensorArrayClose TensorArrayCloseV2 TensorArrayCloseV3 TensorArrayConcat
TensorArrayConcatV2 TensorArrayConcatV3 TensorArrayGather TensorArrayGatherV2 TensorArrayGatherV3 TensorArrayRead
TensorArrayReadV2 TensorArrayReadV3 TensorArrayScatter TensorArrayScatterV2 TensorArrayScatterV3 TensorArraySize
TensorArraySizeV2 TensorArraySizeV3 TensorArraySplit TensorArraySplitV2 TensorArraySplitV3 TensorArrayV2 TensorArrayV3
TensorArrayWrite TensorArrayWriteV2 TensorArrayWriteV3 TensorListConcat TensorListConcatLists TensorListConcatV2
TensorListElementShape TensorListFromTensor TensorListGather TensorListGetItem TensorListLength TensorListPopBack
TensorListPushBack TensorListPushBackBatch TensorListReserve TensorListResize TensorListScatter
TensorListScatterIntoExistingList TensorListScatterV2 TensorListSetItem TensorListSplit TensorListStack
"""

_TEXT = """
AsString ParseExample ParseExampleV2 ParseSingleExample ReduceJoin RegexFullMatch RegexReplace ShardedFilename
ShardedFilespec SparseFillEmptyRows SparseReorder SparseReshape SparseSlice SparseTensorDenseMatMul SparseToDense
StaticRegexFullMatch StaticRegexReplace StringFormat StringJoin StringLength StringLower StringSplit StringSplitV2
StringStrip StringToHashBucketFast StringToNumber StringUpper Substr
"""

ALLOWED = frozenset(
    " ".join((_MATH, _ARRAY, _NETWORK, _GRADIENTS, _IMAGES, _RANDOM, _CONTROL, _STATE, _LISTS, _TEXT)).split()
)
"""What any graph may use anywhere. ParseExample and decoding are of signatures that take files in memory; the
operations on sparse tensors are what becomes of their features."""

READERS: Mapping[str, int] = {
    "RestoreV2": 0,
    "InitializeTableFromTextFile": 1,
    "InitializeTableFromTextFileV2": 1,
}
"""What reads a file and may be in a SavedModel, and which of its inputs is the path: file_access.py says where."""

WRITERS = frozenset({"SaveV2", "MergeV2Checkpoints"})
"""What writes files and is in every SavedModel's saver, which loading does not run: file_access.py."""

FILES = "read or write files"
UNKNOWN = "are not on the list of those that detectors need"

_REASONS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("call Python", re.compile(r"(Eager)?PyFunc|PyFuncStateless|GeneratorDataset")),
    (
        "reach other machines",
        re.compile(
            r"_?(Host)?(Send|Recv)|Rpc\w+|RemoteCall|Collective\w+|_?Nccl\w+|DataServiceDataset\w*|\w*TPU\w*|\w*Tpu\w*"
            r"|WorkerHeartbeat|Xla(Send|Recv|Host)\w*|CloudBigtable\w*|BigQuery\w*|IO>\w+"
        ),
    ),
    (
        FILES,
        re.compile(
            r"ReadFile|WriteFile|MatchingFiles|\w*MatchingFilesDataset|Save|SaveSlices|SaveV2|MergeV2Checkpoints|Restore"
            r"|RestoreSlice|RestoreV2|DTensorRestoreV2|DistributedSave|InitializeTableFromTextFile(V2)?|ImmutableConst"
            r"|LoadAndRemapMatrix|GenerateVocabRemapping|FileSystemSetConfiguration|RecordInput|DumpTensor|Debug\w+"
            r"|(WholeFile|TextLine|TFRecord|FixedLengthRecord|LMDB)Reader(V2)?|ReaderRead\w*"
            r"|\w*(TextLine|TFRecord|FixedLengthRecord|LMDB|CSV|Sql|Cache|Snapshot|Load|Save)(Chunk)?Dataset\w*"
            r"|ListSnapshotChunksDataset|\w*DatasetToTFRecord|SnapshotDatasetReader|CreateSummary(File|Db)Writer"
            r"|Write\w*Summary|CalibrationStatisticsSaver"
        ),
    ),
    ("print by themselves", re.compile(r"Print(V2)?")),
    ("end or stop the process", re.compile(r"Abort|SleepOp|SleepIdentityOp|\w*SleepDataset")),
)

_NAME_OF_AN_OPERATION = re.compile(r"_*[A-Z]")


def reason(operation: str) -> str:
    """Why an operation that is not allowed is refused: what such operations do."""
    return next((why for why, names in _REASONS if names.fullmatch(operation)), UNKNOWN)


def may_be_function(name: str) -> bool:
    """Whether a function of the model may be called by `name` where an operation stands.

    No operation of the registry is spelled like this, so none can hide behind a function of the same name.
    """
    return _NAME_OF_AN_OPERATION.match(name) is None
