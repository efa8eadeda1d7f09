/* A CUDA driver and a decoder of NVIDIA that are neither: they go through all of FFmpeg's hardware decoding without a GPU.

Memory of the "device" is ordinary memory. The decoder decodes nothing: its nth picture is the nth one of a file of raw
pictures, so a test says what comes out. nvdec.py builds it, as libcuda.so.1 and libnvcuvid.so.1 at once.

FAKE_NVDEC_PICTURES: that file, NV12 or P010 of the coded size. FAKE_NVDEC_REFUSES: no stream is taken.
FAKE_NVDEC_FAILS_AT: no picture is decoded from this one on, counted from 0 over all decoders of the process.
*/

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef int CUresult;
typedef unsigned long long CUdeviceptr;

enum { OK = 0, INVALID_VALUE = 1, NOT_SUPPORTED = 801 };

/* What FFmpeg asks of a driver, and does not use to decode. */
#define NOTHING(name) \
    CUresult name(void) { return NOT_SUPPORTED; }
#define DONE(name) \
    CUresult name(void) { return OK; }

DONE(cuInit)
DONE(cuCtxSetLimit)
DONE(cuCtxPushCurrent_v2)
DONE(cuCtxDestroy_v2)
DONE(cuDevicePrimaryCtxRelease_v2)
DONE(cuDevicePrimaryCtxRelease)
DONE(cuDevicePrimaryCtxSetFlags)
DONE(cuDevicePrimaryCtxReset)
DONE(cuStreamQuery)
DONE(cuStreamSynchronize)
DONE(cuStreamDestroy_v2)
DONE(cuEventSynchronize)
DONE(cuEventQuery)
DONE(cuEventRecord)
DONE(cuEventDestroy_v2)
NOTHING(cuMemAllocManaged)
NOTHING(cuMemsetD8Async)
NOTHING(cuMemcpy)
NOTHING(cuMemcpyAsync)
NOTHING(cuMemcpyHtoD_v2)
NOTHING(cuMemcpyHtoDAsync_v2)
NOTHING(cuMemcpyDtoH_v2)
NOTHING(cuMemcpyDtoHAsync_v2)
NOTHING(cuMemcpyDtoD_v2)
NOTHING(cuMemcpyDtoDAsync_v2)
NOTHING(cuStreamAddCallback)
NOTHING(cuStreamWaitEvent)
NOTHING(cuLaunchKernel)
NOTHING(cuLinkCreate)
NOTHING(cuLinkAddData)
NOTHING(cuLinkComplete)
NOTHING(cuLinkDestroy)
NOTHING(cuModuleLoadData)
NOTHING(cuModuleUnload)
NOTHING(cuModuleGetFunction)
NOTHING(cuModuleGetGlobal)
NOTHING(cuTexObjectCreate)
NOTHING(cuTexObjectDestroy)
NOTHING(cuGLGetDevices_v2)
NOTHING(cuGraphicsGLRegisterImage)
NOTHING(cuGraphicsUnregisterResource)
NOTHING(cuGraphicsMapResources)
NOTHING(cuGraphicsUnmapResources)
NOTHING(cuGraphicsSubResourceGetMappedArray)
NOTHING(cuGraphicsResourceGetMappedPointer_v2)
NOTHING(cuArrayCreate_v2)
NOTHING(cuArray3DCreate_v2)
NOTHING(cuArrayDestroy)
NOTHING(cuDeviceGetByPCIBusId)
NOTHING(cuDeviceGetPCIBusId)
NOTHING(cuDeviceGetLuid)
NOTHING(cuvidReconfigureDecoder)
NOTHING(cuvidCtxLockCreate)
NOTHING(cuvidCtxLockDestroy)
NOTHING(cuvidCtxLock)
NOTHING(cuvidCtxUnlock)
NOTHING(cuvidCreateVideoSource)
NOTHING(cuvidCreateVideoSourceW)
NOTHING(cuvidDestroyVideoSource)
NOTHING(cuvidSetVideoSourceState)
NOTHING(cuvidGetVideoSourceState)
NOTHING(cuvidGetSourceVideoFormat)
NOTHING(cuvidGetSourceAudioFormat)
NOTHING(cuvidCreateVideoParser)
NOTHING(cuvidParseVideoData)
NOTHING(cuvidDestroyVideoParser)

static int handle; /* a context, a stream and an event are all this */

CUresult cuDriverGetVersion(int *version) { *version = 12000; return OK; }
CUresult cuDeviceGetCount(int *count) { *count = 1; return OK; }
CUresult cuDeviceGet(int *device, int ordinal) { *device = ordinal; return ordinal == 0 ? OK : 101; }
CUresult cuDeviceGetAttribute(int *value, int which, int device) { *value = 512; return OK; }
CUresult cuDeviceGetName(char *name, int length, int device) { snprintf(name, length, "none"); return OK; }
CUresult cuDeviceComputeCapability(int *major, int *minor, int device) { *major = 7; *minor = 5; return OK; }
CUresult cuDeviceGetUuid(void *uuid, int device) { memset(uuid, 0, 16); return OK; }
CUresult cuDeviceGetUuid_v2(void *uuid, int device) { memset(uuid, 0, 16); return OK; }
CUresult cuCtxCreate_v2(void **context, unsigned flags, int device) { *context = &handle; return OK; }
CUresult cuCtxGetCurrent(void **context) { *context = &handle; return OK; }
CUresult cuCtxPopCurrent_v2(void **context) { if (context) *context = &handle; return OK; }
CUresult cuCtxGetDevice(int *device) { *device = 0; return OK; }
CUresult cuDevicePrimaryCtxRetain(void **context, int device) { *context = &handle; return OK; }
CUresult cuDevicePrimaryCtxGetState(int device, unsigned *flags, int *active) { *flags = *active = 0; return OK; }
CUresult cuStreamCreate(void **stream, unsigned flags) { *stream = &handle; return OK; }
CUresult cuEventCreate(void **event, unsigned flags) { *event = &handle; return OK; }
CUresult cuGetErrorName(CUresult error, const char **text) { *text = "FAKE"; return OK; }
CUresult cuGetErrorString(CUresult error, const char **text) { *text = "made to fail"; return OK; }

CUresult cuMemAlloc_v2(CUdeviceptr *pointer, size_t size) {
    *pointer = (CUdeviceptr)calloc(1, size);
    return *pointer ? OK : 2;
}

CUresult cuMemAllocPitch_v2(CUdeviceptr *pointer, size_t *pitch, size_t width, size_t height, unsigned element) {
    *pitch = (width + 511) & ~(size_t)511;
    return cuMemAlloc_v2(pointer, *pitch * height);
}

CUresult cuMemFree_v2(CUdeviceptr pointer) { free((void *)pointer); return OK; }

typedef struct {
    size_t src_x, src_y; int src_type; const void *src_host; CUdeviceptr src_device; void *src_array; size_t src_pitch;
    size_t dst_x, dst_y; int dst_type; void *dst_host; CUdeviceptr dst_device; void *dst_array; size_t dst_pitch;
    size_t width, height;
} Copy2D;

enum { HOST = 1, DEVICE = 2 };

CUresult cuMemcpy2D_v2(const Copy2D *copy) {
    const char *from = copy->src_type == HOST ? copy->src_host : (const char *)copy->src_device;
    char *to = copy->dst_type == HOST ? copy->dst_host : (char *)copy->dst_device;
    for (size_t row = 0; row < copy->height; row++)
        memcpy(to + (copy->dst_y + row) * copy->dst_pitch + copy->dst_x,
               from + (copy->src_y + row) * copy->src_pitch + copy->src_x, copy->width);
    return OK;
}

CUresult cuMemcpy2DAsync_v2(const Copy2D *copy, void *stream) { return cuMemcpy2D_v2(copy); }

typedef struct {
    int codec, chroma; unsigned depth_minus_8, reserved[3];
    unsigned char supported, engines; unsigned short formats;
    unsigned max_width, max_height, max_blocks; unsigned short min_width, min_height;
} Caps;

CUresult cuvidGetDecoderCaps(Caps *caps) {
    caps->supported = getenv("FAKE_NVDEC_REFUSES") == NULL;
    caps->engines = 1;
    caps->formats = 0xF;
    caps->max_width = caps->max_height = 8192;
    caps->max_blocks = 1 << 20;
    caps->min_width = caps->min_height = 16;
    return OK;
}

typedef struct {
    unsigned long width, height, surfaces; int codec, chroma; unsigned long flags, depth_minus_8;
} Wanted;

typedef struct { size_t width, height, bytes; int numbers[64]; } Decoder;

static int decoded; /* over all decoders */

CUresult cuvidCreateDecoder(void **made, const Wanted *wanted) {
    Decoder *decoder = calloc(1, sizeof *decoder);
    decoder->width = wanted->width * (wanted->depth_minus_8 ? 2 : 1);
    decoder->height = wanted->height;
    decoder->bytes = decoder->width * decoder->height * 3 / 2;
    *made = decoder;
    return OK;
}

CUresult cuvidDestroyDecoder(void *decoder) { free(decoder); return OK; }

CUresult cuvidDecodePicture(Decoder *decoder, const int *parameters) {
    const char *fails_at = getenv("FAKE_NVDEC_FAILS_AT");
    if (fails_at && decoded >= atoi(fails_at))
        return INVALID_VALUE;
    decoder->numbers[parameters[2] & 63] = decoded++; /* CurrPicIdx */
    return OK;
}

CUresult cuvidGetDecodeStatus(void *decoder, int index, int *status) { *status = 2; return OK; }

CUresult cuvidMapVideoFrame64(Decoder *decoder, int index, CUdeviceptr *pointer, unsigned *pitch, void *parameters) {
    FILE *file = fopen(getenv("FAKE_NVDEC_PICTURES"), "rb");
    char *picture = malloc(decoder->bytes);
    int whole = file && fseek(file, decoder->numbers[index & 63] * decoder->bytes, SEEK_SET) == 0 &&
                fread(picture, 1, decoder->bytes, file) == decoder->bytes;
    if (file)
        fclose(file);
    *pointer = (CUdeviceptr)picture;
    *pitch = decoder->width;
    return whole ? OK : INVALID_VALUE;
}

CUresult cuvidUnmapVideoFrame64(void *decoder, CUdeviceptr pointer) { free((void *)pointer); return OK; }
