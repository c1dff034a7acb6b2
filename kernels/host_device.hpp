// SPDX-License-Identifier: Apache-2.0
// Marks functions that host and device code share; nothing where no CUDA compiler reads them.
#pragma once

#ifdef __CUDACC__
#define KINDRED_HOST_DEVICE __host__ __device__
#else
#define KINDRED_HOST_DEVICE
#endif
