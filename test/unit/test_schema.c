/*
 * test_schema.c - every keyword of the reference has a row, and the table is well formed.
 * Reads test/unit/keywords.list (block TAB keyword), or the reference itself where it is present.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/schema/schema.h"

static const struct {
    const char *block;
    enum blk blk;
} block_map[] = {
    { "(top)", BLK_TOP },
    { "global_defs", BLK_GLOBAL },
    { "global_defs/lvs_sync_daemon", BLK_SYNCD },
    { "global_defs/lvs_timeouts", BLK_TIMEOUTS },
    { "track_group", BLK_TRACK_GROUP },
    { "vrrp_sync_group", BLK_SYNC },
    { "garp_group", BLK_GARPG },
    { "linkbeat_interfaces", BLK_LINKBEAT },
    { "interface_up_down_delays", BLK_UPDOWN },
    { "vrrp_instance", BLK_VI },
    { "vrrp_instance/unicast_peer", BLK_VI_PEER },
    { "vrrp_instance/track_interface", BLK_TRK_IF },
    { "vrrp_instance/track_script", BLK_TRK_SCRIPT },
    { "vrrp_instance/track_file", BLK_TRK_FILE },
    { "vrrp_instance/track_process", BLK_TRK_PROC },
    { "vrrp_instance/track_bfd", BLK_TRK_BFD },
    { "vrrp_instance/authentication", BLK_VI_AUTH },
    { "vrrp_instance/auth_hmac", BLK_VI_HMAC },
    { "vrrp_script", BLK_SCRIPT },
    { "vrrp_track_process", BLK_PROC },
    { "track_file", BLK_TFILE },
    { "vrrp_track_file", BLK_TFILE },
    { "bfd_instance", BLK_BFD },
    { "SSL", BLK_SSL },
    { "virtual_server_group", BLK_VSG_LINE },
    { "virtual_server", BLK_VS },
    { "virtual_server/lb_kind", BLK_LBKIND },
    { "virtual_server/real_server", BLK_RS },
    { "virtual_server/real_server/HTTP_GET", BLK_HTTP },
    { "virtual_server/real_server/HTTP_GET/url", BLK_URL },
    { "virtual_server/real_server/HTTP_GET/url/regex_options", BLK_REGEX },
    { "virtual_server/real_server/SSL_GET", BLK_SSLGET },
    { "virtual_server/real_server/SSL_GET/url", BLK_URL },
    { "virtual_server/real_server/TCP_CHECK", BLK_TCP },
    { "virtual_server/real_server/SMTP_CHECK", BLK_SMTP },
    { "virtual_server/real_server/SMTP_CHECK/host", BLK_SMTPHOST },
    { "virtual_server/real_server/DNS_CHECK", BLK_DNS },
    { "virtual_server/real_server/MISC_CHECK", BLK_MISC },
    { "virtual_server/real_server/PING_CHECK", BLK_PING },
    { "virtual_server/real_server/UDP_CHECK", BLK_UDP },
    { "virtual_server/real_server/FILE_CHECK", BLK_FILE },
    { "virtual_server/real_server/BFD_CHECK", BLK_BFDCHK },
    { "ADDRESS-LINE", BLK_ADDR },
    { "ROUTE-LINE/encap", BLK_ENCAP },
    { "ROUTE-LINE", BLK_ROUTE },
    { "RULE-LINE", BLK_RULE },
};

static enum blk map_block(const char *name)
{
    for (size_t i = 0; i < sizeof block_map / sizeof *block_map; i++)
        if (strcmp(block_map[i].block, name) == 0)
            return block_map[i].blk;
    for (size_t i = 0; i < sizeof block_map / sizeof *block_map; i++)
        if (strstr(block_map[i].block, "-LINE") != NULL &&
            strncmp(block_map[i].block, name, strlen(block_map[i].block)) == 0)
            return block_map[i].blk;
    return BLK_NONE;
}

static int row_exists(enum blk blk, const char *name)
{
    unsigned int n;
    const struct kw_row *r = schema_rows(blk, &n);
    for (unsigned int i = 0; i < n; i++)
        if (strcmp(r[i].name, name) == 0)
            return 1;
    return 0;
}

static void every_reference_row_is_there(void **state)
{
    (void)state;
    int reference = 1, rows = 0, missing = 0;
    FILE *f = fopen("/work/shared/reference/keywords.tsv", "re");
    if (f == NULL) {
        reference = 0;
        f = fopen("test/unit/keywords.list", "re");
    }
    assert_non_null(f);
    char line[2048];
    while (fgets(line, sizeof line, f) != NULL) {
        if (reference && rows++ == 0)
            continue;
        rows += !reference;
        char *kw = strchr(line, '\t');
        assert_non_null(kw);
        *kw++ = '\0';
        kw[strcspn(kw, "\t\n")] = '\0';
        if (!row_exists(map_block(line), kw)) {
            print_error("no row: block \"%s\" keyword \"%s\"\n", line, kw);
            missing++;
        }
    }
    fclose(f);
    assert_true(rows - reference >= 724);
    assert_int_equal(missing, 0);
}

static void rows_are_well_formed(void **state)
{
    (void)state;
    for (int i = KW_NONE + 1; i < KW_MAX; i++) {
        const struct kw_row *r = schema_kw((enum kw)i);
        assert_non_null(r);
        assert_int_equal(r->kw, i);
        assert_non_null(schema_blk(r->blk));
        assert_true(r->min <= r->max);
        assert_true(r->help[0] != '\0');
        assert_true((r->kind == KIND_DERIVED) == (r->name[0] == '\0'));
        if (r->kind == KIND_ENUM)
            assert_non_null(schema_word_at((enum schema_enum)r->arg, 0));
        if (r->kind == KIND_BLOCK || r->kind == KIND_LINES || r->kind == KIND_REF)
            assert_non_null(schema_blk((enum blk)r->arg));
        if (r->kind == KIND_UINT || r->kind == KIND_INT || r->kind == KIND_TIME || r->kind == KIND_MSTIME)
            assert_true(r->min < r->max);
        if (!(r->flags & KWF_POSITIONAL) && r->kind != KIND_DERIVED && r->kind != KIND_SYNTAX)
            assert_ptr_equal(schema_find(r->blk, r->name), r);
    }
}

static void words_go_there_and_back(void **state)
{
    (void)state;
    int64_t v = 0;
    assert_int_equal(schema_word_find(ENUM_STATE, "MASTER", &v), 0);
    assert_int_equal(v, 2);
    assert_string_equal(schema_word(ENUM_PROTOCOL, 132), "SCTP");
    assert_int_equal(schema_word_find(ENUM_STATE, "PASS", &v), -1);
    assert_null(schema_word(ENUM_STATE, 9));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_reference_row_is_there),
        cmocka_unit_test(rows_are_well_formed),
        cmocka_unit_test(words_go_there_and_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
