{
  "targets": [{
    "target_name": "inbatch",
    "sources": ["<!@(node scripts/sources.cjs base ops text model cpu addon)"],
    "include_dirs": ["<!(node -p \"require('node-addon-api').include_dir\")"],
    "defines": [
      "NAPI_VERSION=9",
      "NAPI_DISABLE_CPP_EXCEPTIONS",
      "NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS",
      "NODE_API_NO_EXTERNAL_BUFFERS_ALLOWED"
    ],
    "cflags_cc": ["-std=c++20", "-O3", "-ffp-contract=off", "-fvisibility=hidden", "-Wno-psabi", "-Wno-missing-field-initializers", "-Wno-maybe-uninitialized", "-Wno-uninitialized"],
    "cflags_cc!": ["-fno-exceptions", "-fno-rtti", "-std=gnu++17", "-std=gnu++20"],
    "cflags!": ["-O2"],
    "conditions": [["target_arch=='x64'", {"cflags_cc": ["-march=x86-64-v2"]}]]
  }]
}
