// A management library of one card for the tests of nvml.rs.
#include <cstring>

struct Process {
    unsigned pid;
    unsigned long long used;
    unsigned gpu_instance, compute_instance;
};

extern "C" {
int nvmlInit_v2() { return 0; }
int nvmlSystemGetDriverVersion(char* text, unsigned length) {
    std::strncpy(text, "580.65.06", length);
    return 0;
}
#ifndef LACKS_UUID
int nvmlDeviceGetHandleByUUID(const char* uuid, void** card) {
    *card = reinterpret_cast<void*>(0x1234);
    return std::strcmp(uuid, "GPU-01234567-89ab-cdef-0123-456789abcdef") ? 6 : 0;
}
#endif
int nvmlDeviceGetClockInfo(void* card, int kind, unsigned* mhz) {
    *mhz = kind == 1 ? 1980 : 2619;
    return card == reinterpret_cast<void*>(0x1234) ? 0 : 2;
}
#ifdef LACKS_POWER
int nvmlDeviceGetPowerUsage(void*, unsigned*) { return 3; }
#else
int nvmlDeviceGetPowerUsage(void*, unsigned* milliwatts) {
    *milliwatts = 345678;
    return 0;
}
#endif
int nvmlDeviceGetTemperature(void*, int sensor, unsigned* celsius) {
    *celsius = 41;
    return sensor == 0 ? 0 : 2;
}
#ifdef LACKS_EVENTS
int nvmlDeviceGetCurrentClocksThrottleReasons(void*, unsigned long long* bits) {
    *bits = 1;
    return 0;
}
#else
int nvmlDeviceGetCurrentClocksEventReasons(void*, unsigned long long* bits) {
    *bits = 0x44;
    return 0;
}
#endif
int nvmlDeviceGetEccMode(void*, unsigned* current, unsigned* pending) {
    *current = 1;
    *pending = 0;
    return 0;
}
int nvmlDeviceGetMigMode(void*, unsigned* current, unsigned* pending) {
    *current = 0;
    *pending = 1;
    return 0;
}
#ifndef LACKS_PROCESSES
int nvmlDeviceGetComputeRunningProcesses_v3(void*, unsigned* count, Process* entries) {
    if (*count < 2) return 7;
    *count = 2;
    entries[0] = {77, 1 << 20, ~0u, ~0u};
    entries[1] = {4000000000u, 1 << 20, ~0u, ~0u};
    return 0;
}
#endif
int nvmlDeviceGetTotalEnergyConsumption(void*, unsigned long long* millijoules) {
    *millijoules = 1ull << 40;
    return 0;
}
}
