/*
 * mail_session.c - the dialogue: what is said at each step and what the answer means. Bytes in and out are
 * mail_wire.c's. See mail_session.h.
 */
#include "checkd/mail_session.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "checkd/mail_wire.h"
#include "common/err.h"

/* What one step is called, what it accepts, and who goes on with its reply. */
struct step_row {
    const char *name;
    void (*reply)(struct mail_session *s, int code);
};

static const struct step_row *step_row(enum mail_step step);

static void command(struct mail_session *s, enum mail_step step, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static void command(struct mail_session *s, enum mail_step step, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(s->command, sizeof s->command - 2, fmt, ap);
    va_end(ap);
    if (n < 0 || (size_t)n >= sizeof s->command - 2) {
        mail_wire_fail(s, "%s: too long to be said", step_row(step)->name);
        return;
    }
    memcpy(s->command + n, "\r\n", 3);
    s->step = step;
    mail_wire_say(s, s->command, (size_t)n + 2);
}

static void unwanted(struct mail_session *s, int code)
{
    mail_wire_fail(s, "%s: the server answers %d %s", step_row(s->step)->name, code, s->reply.text);
}

static void wanted_text(const struct mail_session *s, int code, char *why, size_t size)
{
    snprintf(why, size, "%s: the server answers %d %s", step_row(s->step)->name, code, s->reply.text);
}

/* ---- one mail after the other */

static void next_rcpt(struct mail_session *s)
{
    const struct mail_letter *l = &s->letter;
    while (s->rcpt < l->nto && (*l->done & (UINT64_C(1) << s->rcpt)))
        s->rcpt++;
    if (s->rcpt < l->nto)
        command(s, MAIL_STEP_RCPT, "RCPT TO:<%s>", l->to[s->rcpt]);
    else if (s->taken != 0)
        command(s, MAIL_STEP_DATA, "DATA");
    else
        command(s, MAIL_STEP_RESET, "RSET");
}

static bool all_done(const struct mail_letter *l)
{
    for (size_t i = 0; i < l->nto; i++)
        if (!(*l->done & (UINT64_C(1) << i)))
            return false;
    return true;
}

static void next_letter(struct mail_session *s)
{
    s->rcpt = 0;
    s->taken = 0;
    s->in_hand = s->ops->next(s->arg, &s->letter);
    if (s->in_hand)
        command(s, MAIL_STEP_FROM, "MAIL FROM:<%s>", s->letter.from);
    else
        command(s, MAIL_STEP_QUIT, "QUIT");
}

static void verdict(struct mail_session *s, enum mail_result r, const char *why)
{
    s->in_hand = false;
    s->ops->verdict(s->arg, r, why);
}

/* The server does not want this mail now, or ever; the next one has its own chance. */
static void letter_failed(struct mail_session *s, int code)
{
    char why[MAIL_WHY_MAX];
    wanted_text(s, code, why, sizeof why);
    verdict(s, code >= 500 ? MAIL_NEVER : MAIL_LATER, why);
    command(s, MAIL_STEP_RESET, "RSET");
}

static void on_from(struct mail_session *s, int code)
{
    if (code == 250)
        next_rcpt(s);
    else
        letter_failed(s, code);
}

static void on_rcpt(struct mail_session *s, int code)
{
    char why[MAIL_WHY_MAX];
    uint64_t bit = UINT64_C(1) << s->rcpt;
    wanted_text(s, code, why, sizeof why);
    if (code == 250 || code == 251 || code == 252)
        s->taken |= bit;
    else if (code >= 500)
        *s->letter.done |= bit;
    if (code >= 400)
        s->ops->refused(s->arg, s->letter.to[s->rcpt], why);
    s->rcpt++;
    next_rcpt(s);
}

static void on_data(struct mail_session *s, int code)
{
    if (code != 354) {
        letter_failed(s, code);
        return;
    }
    s->step = MAIL_STEP_BODY;
    mail_wire_say(s, s->letter.data, s->letter.len);
}

static void on_body(struct mail_session *s, int code)
{
    if (code != 250) {
        letter_failed(s, code);
        return;
    }
    *s->letter.done |= s->taken;
    if (all_done(&s->letter))
        verdict(s, MAIL_DELIVERED, "accepted");
    else
        verdict(s, MAIL_LATER, "some recipients were put off");
    next_letter(s);
}

static void on_reset(struct mail_session *s, int code)
{
    if (code != 250) {
        unwanted(s, code);
        return;
    }
    if (s->in_hand) /* nobody was accepted */
        verdict(s, all_done(&s->letter) ? MAIL_NEVER : MAIL_LATER, "no recipient was accepted");
    next_letter(s);
}

static void on_quit(struct mail_session *s, int code)
{
    (void)code; /* 221 or not: all was said before */
    mail_wire_end(s, NULL);
}

/* ---- who are we */

static void auth_plain(struct mail_session *s)
{
    char raw[1024], b64[4 * ((sizeof raw + 2) / 3) + 1];
    size_t user = strlen(s->server->user), pass = strlen(s->server->password), n = user + pass + 2;
    if (n > sizeof raw)
        fatal("mail: user and password too long");
    raw[0] = '\0';
    memcpy(raw + 1, s->server->user, user + 1);
    memcpy(raw + 1 + user + 1, s->server->password, pass);
    mail_base64(raw, n, b64, sizeof b64);
    command(s, MAIL_STEP_AUTH, "AUTH PLAIN %s", b64);
    explicit_bzero(raw, sizeof raw);
    explicit_bzero(b64, sizeof b64);
}

static void say_secret(struct mail_session *s, enum mail_step step, const char *text)
{
    char b64[1024];
    mail_base64(text, strlen(text), b64, sizeof b64);
    command(s, step, "%s", b64);
    explicit_bzero(b64, sizeof b64);
}

static void greeted(struct mail_session *s)
{
    if (s->server->user == NULL)
        next_letter(s);
    else if (!s->secure && s->server->tls != MAIL_TLS_OFF)
        mail_wire_fail(s, "the server offers no STARTTLS: user and password are not sent in the clear");
    else if (s->offers_plain)
        auth_plain(s);
    else if (s->offers_login)
        command(s, MAIL_STEP_AUTH_USER, "AUTH LOGIN");
    else
        mail_wire_fail(s, "the server offers neither AUTH PLAIN nor AUTH LOGIN%s",
                       s->secure ? "" : " (without TLS; perhaps it does with smtp_tls required)");
}

static void on_auth(struct mail_session *s, int code)
{
    explicit_bzero(s->command, sizeof s->command);
    if (code == 235)
        next_letter(s);
    else
        unwanted(s, code);
}

static void on_auth_user(struct mail_session *s, int code)
{
    if (code == 334)
        say_secret(s, MAIL_STEP_AUTH_PASSWORD, s->server->user);
    else
        unwanted(s, code);
}

static void on_auth_password(struct mail_session *s, int code)
{
    if (code == 334)
        say_secret(s, MAIL_STEP_AUTH, s->server->password);
    else
        unwanted(s, code);
}

/* ---- hello */

static bool wants_ehlo(const struct mail_session *s)
{
    return s->server->user != NULL || s->server->tls != MAIL_TLS_OFF;
}

static void say_hello(struct mail_session *s)
{
    s->caps_len = 0;
    s->offers_starttls = s->offers_plain = s->offers_login = false;
    if (wants_ehlo(s))
        command(s, MAIL_STEP_HELLO, "EHLO %s", s->server->helo);
    else
        command(s, MAIL_STEP_HELO, "HELO %s", s->server->helo);
}

static bool has_word(const char *line, const char *word)
{
    size_t n = strlen(word);
    while (*line != '\0') {
        size_t len = strcspn(line, " \t=");
        if (len == n && strncasecmp(line, word, n) == 0)
            return true;
        line += len;
        line += strspn(line, " \t=");
    }
    return false;
}

/* "250-STARTTLS", "250 AUTH PLAIN LOGIN", and the old spelling "AUTH=LOGIN". */
static void read_caps(struct mail_session *s)
{
    char *at, *line;
    s->caps[s->caps_len < sizeof s->caps ? s->caps_len : sizeof s->caps - 1] = '\0';
    for (line = strtok_r(s->caps, "\r\n", &at); line != NULL; line = strtok_r(NULL, "\r\n", &at)) {
        if (strlen(line) < 5)
            continue;
        line += 4;
        if (strcasecmp(line, "STARTTLS") == 0)
            s->offers_starttls = true;
        if (strncasecmp(line, "AUTH ", 5) == 0 || strncasecmp(line, "AUTH=", 5) == 0) {
            s->offers_plain = s->offers_plain || has_word(line + 5, "PLAIN");
            s->offers_login = s->offers_login || has_word(line + 5, "LOGIN");
        }
    }
}

static void on_banner(struct mail_session *s, int code)
{
    if (code == 220)
        say_hello(s);
    else
        unwanted(s, code);
}

static void on_hello(struct mail_session *s, int code)
{
    bool must = s->server->tls == MAIL_TLS_REQUIRED;
    if (code == 250)
        read_caps(s);
    if (code == 250 && !s->secure && s->server->tls != MAIL_TLS_OFF && s->offers_starttls)
        command(s, MAIL_STEP_STARTTLS, "STARTTLS");
    else if (must && !s->secure)
        mail_wire_fail(s, "the server offers no STARTTLS, and smtp_tls says it is required");
    else if (code == 250)
        greeted(s);
    else if (code >= 500 && s->server->user == NULL && !s->secure)
        command(s, MAIL_STEP_HELO, "HELO %s", s->server->helo); /* a server of before 1995 */
    else
        unwanted(s, code);
}

static void on_helo(struct mail_session *s, int code)
{
    if (code == 250)
        greeted(s);
    else
        unwanted(s, code);
}

static void on_starttls(struct mail_session *s, int code)
{
    if (code == 220)
        mail_wire_secure(s);
    else
        unwanted(s, code);
}

/* ---- the machine */

static const struct step_row *step_row(enum mail_step step)
{
    static const struct step_row rows[MAIL_STEP_MAX] = {
        [MAIL_STEP_IDLE] = { "idle", NULL },
        [MAIL_STEP_CONNECT] = { "connect", NULL },
        [MAIL_STEP_HANDSHAKE] = { "TLS handshake", NULL },
        [MAIL_STEP_BANNER] = { "greeting", on_banner },
        [MAIL_STEP_HELLO] = { "EHLO", on_hello },
        [MAIL_STEP_HELO] = { "HELO", on_helo },
        [MAIL_STEP_STARTTLS] = { "STARTTLS", on_starttls },
        [MAIL_STEP_AUTH] = { "AUTH", on_auth },
        [MAIL_STEP_AUTH_USER] = { "AUTH LOGIN", on_auth_user },
        [MAIL_STEP_AUTH_PASSWORD] = { "AUTH LOGIN (user)", on_auth_password },
        [MAIL_STEP_FROM] = { "MAIL FROM", on_from },
        [MAIL_STEP_RCPT] = { "RCPT TO", on_rcpt },
        [MAIL_STEP_DATA] = { "DATA", on_data },
        [MAIL_STEP_BODY] = { "end of data", on_body },
        [MAIL_STEP_RESET] = { "RSET", on_reset },
        [MAIL_STEP_QUIT] = { "QUIT", on_quit },
    };
    return &rows[step];
}

const char *mail_session_step_name(const struct mail_session *s)
{
    return step_row(s->step)->name;
}

/* The transport is up: plain (the banner comes), or TLS (the banner only when TLS came first). */
void mail_session_up(struct mail_session *s)
{
    if (s->secure && s->greeted) {
        say_hello(s);
        return;
    }
    s->step = MAIL_STEP_BANNER;
    mail_wire_listen(s);
}

void mail_session_reply(struct mail_session *s, int code)
{
    s->greeted = true;
    if (code == 421 && s->step != MAIL_STEP_QUIT)
        unwanted(s, code); /* it closes the channel whatever we asked */
    else
        step_row(s->step)->reply(s, code);
}
