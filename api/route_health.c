#include "api/api_internal.h"

#define VERSION "0.1.0"

void api_get_health(struct api_call *call)
{
    bool local;
    // One small question: is the store there?
    enum err err = account_domain_is_local(call->db, SLICE_LIT("localhost"), &local);
    if (err)
        api_error(call, ERR_UNAVAILABLE, "store");
    else
        api_json(call, 200, json_pack("{s:s}", "status", "ok"));
}

void api_get_version(struct api_call *call)
{
    api_json(call, 200, json_pack("{s:s}", "version", VERSION));
}
