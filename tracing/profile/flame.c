/* SPDX-License-Identifier: MIT */
/*
 * Colours: of Okabe and Ito's palette, whose members colour-blind readers can tell apart; kernel,
 * hypervisor and handler frames carry a mark in their text as well.  The difference goes from purple
 * (less) over white to orange (more).
 */
#include "flame.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#define WIDTH      1200.0       /* pixels of the whole */
#define MARGIN     10.0
#define ROW        18.0         /* height of a frame */
#define HEAD       66.0         /* above the frames */
#define FOOT       24.0
#define CHARACTER  6.7          /* width of one at FONT */
#define MIN_WIDTH  0.15         /* frames below are left out */

struct drawing {
    const struct flame *how;
    FILE *f;
    unsigned int side;          /* whose widths */
    double height, scale, before; /* pixels a sample; side 0's samples in side 1's */
    uint64_t whole, left_out;   /* samples; frames */
};

void put_xml(const char *s, FILE *f)
{
    for (; *s; s++)
        switch (*s) {
        case '<': fputs("&lt;", f); break;
        case '>': fputs("&gt;", f); break;
        case '&': fputs("&amp;", f); break;
        case '"': fputs("&quot;", f); break;
        default: fputc((unsigned char)*s < ' ' ? '?' : *s, f);
        }
}

void put_json(const char *s, FILE *f)
{
    fputc('"', f);
    for (; *s; s++)
        if (*s == '"' || *s == '\\')
            fprintf(f, "\\%c", *s);
        else if ((unsigned char)*s < ' ')
            fprintf(f, "\\u%04x", *s);
        else
            fputc(*s, f);
    fputc('"', f);
}

static const char *const kind_names[FRAME_KINDS] = {
    [FRAME_TASK] = "program", [FRAME_USER] = "guest user", [FRAME_KERNEL] = "guest kernel",
    [FRAME_HYPERVISOR] = "hypervisor", [FRAME_HANDLER] = "fast handler", [FRAME_IDLE] = "idle",
};
static const char *const kind_colours[FRAME_KINDS] = {
    [FRAME_TASK] = "#cccccc", [FRAME_USER] = "#56b4e9", [FRAME_KERNEL] = "#f0e442",
    [FRAME_HYPERVISOR] = "#e8894a", [FRAME_HANDLER] = "#2fb592", [FRAME_IDLE] = "#eeeeee",
};

/* Purple to white to orange; change from -1 to 1. */
static void put_change_colour(double change, FILE *f)
{
    static const int less[3] = { 0x99, 0x8e, 0xc3 }, more[3] = { 0xf1, 0xa3, 0x40 };
    const int *to = change < 0 ? less : more;
    double part = fmin(fabs(change), 1);

    fprintf(f, "#%02x%02x%02x", (int)(247 + part * (to[0] - 247)),
            (int)(247 + part * (to[1] - 247)), (int)(247 + part * (to[2] - 247)));
}

static double share(const struct drawing *d, uint64_t samples)
{
    return d->whole ? 100.0 * (double)samples / (double)d->whole : 0;
}

static void put_title(const struct drawing *d, const struct node *n)
{
    FILE *f = d->f;

    fputs("<title>", f);
    put_xml(n->name, f);
    if (*n->module) {
        fputs(" [", f);
        put_xml(n->module, f);
        fputs("]", f);
    }
    fprintf(f, " (%s): %" PRIu64 " samples, %.2f%%", kind_names[n->kind], n->total[d->side],
            share(d, n->total[d->side]));
    if (d->how->sides == 2)
        fprintf(f, "; before %" PRIu64 ", %+.2f%% of all", n->total[0],
                share(d, n->total[1]) - d->before * share(d, n->total[0]));
    fputs("</title>", f);
}

/* As much of the name as has room. */
static void put_label(const struct drawing *d, const struct node *n, double width)
{
    char text[128];
    int room = (int)((width - 4) / CHARACTER);

    if (room < 3)
        return;
    snprintf(text, sizeof(text), "%s%s", n->name, frame_mark(n->kind));
    if ((int)strlen(text) > room) {
        text[room < 120 ? room - 2 : 118] = '\0';
        strcat(text, "..");
    }
    put_xml(text, d->f);
}

static void put_frame(struct drawing *d, const struct node *n, double x, unsigned int depth)
{
    double width = (double)n->total[d->side] * d->scale;
    double y = d->height - FOOT - (depth + 1) * ROW, most = (double)d->whole / 10;

    fprintf(d->f, "<g class=\"f kind-%c\" data-x=\"%.3f\" data-w=\"%.3f\" data-d=\"%u\" data-n=\"",
            frame_letters[n->kind], x - MARGIN, width, depth);
    put_xml(n->name, d->f);
    put_xml(frame_mark(n->kind), d->f);
    fputs("\">", d->f);
    put_title(d, n);
    fprintf(d->f, "<rect x=\"%.2f\" y=\"%.1f\" width=\"%.2f\" height=\"%.1f\"", x, y, width,
            ROW - 1);
    if (d->how->sides == 2) {
        fputs(" style=\"fill:", d->f);
        put_change_colour(((double)n->total[1] - d->before * (double)n->total[0]) /
                          (most > 0 ? most : 1), d->f);
        fputc('"', d->f);
    }
    fprintf(d->f, "/><text x=\"%.2f\" y=\"%.1f\">", x + 2, y + ROW - 5.5);
    put_label(d, n, width);
    fputs("</text></g>\n", d->f);
}

static void put_frames(struct drawing *d, const struct node *parent, double x, unsigned int depth)
{
    for (const struct node *n = parent->child; n; n = n->next) {
        double width = (double)n->total[d->side] * d->scale;

        if (width < MIN_WIDTH) {
            d->left_out++;
        } else {
            put_frame(d, n, x, depth);
            put_frames(d, n, x, depth + 1);
        }
        x += width;
    }
}

static void put_legend(const struct drawing *d)
{
    double x = MARGIN;

    if (d->how->sides == 2) {
        fprintf(d->f, "<text x=\"%.0f\" y=\"54\">colour: purple less than before, orange more, white "
                "as much</text>\n", MARGIN);
        return;
    }
    for (unsigned int kind = FRAME_TASK; kind < FRAME_IDLE; kind++) {
        fprintf(d->f, "<g class=\"kind-%c\"><rect x=\"%.0f\" y=\"44\" width=\"12\" height=\"12\"/>"
                "<text x=\"%.0f\" y=\"54\">%s%s</text></g>\n", frame_letters[kind], x, x + 16,
                kind_names[kind], frame_mark((enum frame_kind)kind));
        x += 40 + CHARACTER * (double)(strlen(kind_names[kind]) + strlen(frame_mark((enum frame_kind)kind)));
    }
}

static void put_head(const struct drawing *d)
{
    FILE *f = d->f;
    char title[106];

    fprintf(f, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
            "<svg xmlns=\"http://www.w3.org/2000/svg\" version=\"1.1\" width=\"%.0f\" height=\"%.0f\" "
            "viewBox=\"0 0 %.0f %.0f\">\n<style>\n"
            "text { font: 11px \"DejaVu Sans Mono\", monospace; fill: #000; }\n"
            ".title { font-size: 15px; } .sub { fill: #444; }\n"
            ".f text { pointer-events: none; } .f { cursor: pointer; }\n"
            ".f:hover rect { stroke: #000; } .above rect { opacity: 0.45; }\n"
            ".hit rect { stroke: #000; stroke-width: 2; } .miss rect { opacity: 0.3; }\n"
            ".button { cursor: pointer; text-decoration: underline; }\n",
            WIDTH, d->height, WIDTH, d->height);
    for (unsigned int kind = 0; kind < FRAME_KINDS; kind++)
        fprintf(f, ".kind-%c rect { fill: %s; }\n", frame_letters[kind], kind_colours[kind]);
    fprintf(f, "</style>\n<rect width=\"%.0f\" height=\"%.0f\" fill=\"#fff\"/>\n"
            "<text class=\"title\" x=\"%.0f\" y=\"20\">", WIDTH, d->height, MARGIN);
    snprintf(title, sizeof(title), "%s", d->how->title); /* as much as has room */
    put_xml(title, f);
    fprintf(f, "</text>\n<text class=\"sub\" x=\"%.0f\" y=\"37\">", MARGIN);
    put_xml(d->how->subtitle, f);
    fputs("</text>\n", f);
    put_legend(d);
    fprintf(f, "<text class=\"button\" id=\"reset\" x=\"%.0f\" y=\"20\">reset zoom</text>\n"
            "<text class=\"button\" id=\"search\" x=\"%.0f\" y=\"20\">search</text>\n"
            "<text id=\"found\" x=\"%.0f\" y=\"54\"></text>\n", WIDTH - 160, WIDTH - 60, WIDTH - 220);
}

/*
 * Click: that frame as wide as the picture, those below it pale, those beside it gone.  Search: a
 * regular expression; frames that match are outlined, and their share of the picture is shown, frames
 * above one that matches not counted again.
 */
static const char script[] =
    "<script><![CDATA[\n"
    "(function () {\n"
    "  var all = [].slice.call(document.getElementsByClassName('f')), W = %.0f, M = %.0f, C = %.1f;\n"
    "  function num(g, k) { return +g.getAttribute('data-' + k); }\n"
    "  function label(g, w) {\n"
    "    var t = g.lastChild, n = g.getAttribute('data-n'), room = Math.floor((w - 4) / C);\n"
    "    t.textContent = room < 3 ? '' : n.length > room ? n.slice(0, room - 2) + '..' : n;\n"
    "  }\n"
    "  function zoom(to) {\n"
    "    var x0 = to ? num(to, 'x') : 0, w0 = to ? num(to, 'w') : W, d0 = to ? num(to, 'd') : -1;\n"
    "    all.forEach(function (g) {\n"
    "      var x = num(g, 'x'), w = num(g, 'w'), d = num(g, 'd'), below = d < d0, e = 0.01;\n"
    "      var inside = x >= x0 - e && x + w <= x0 + w0 + e && d >= d0;\n"
    "      var holds = below && x <= x0 + e && x + w >= x0 + w0 - e, r = g.getElementsByTagName('rect')[0];\n"
    "      g.style.display = inside || holds ? '' : 'none';\n"
    "      g.classList.toggle('above', holds);\n"
    "      x = holds ? 0 : (x - x0) / w0 * W; w = holds ? W : w / w0 * W;\n"
    "      r.setAttribute('x', M + x); r.setAttribute('width', Math.max(w, 0));\n"
    "      g.lastChild.setAttribute('x', M + x + 2); label(g, w);\n"
    "    });\n"
    "  }\n"
    "  function search(text) {\n"
    "    var re = null, sum = 0, last = -1;\n"
    "    try { re = text ? new RegExp(text) : null; } catch (e) { re = null; }\n"
    "    var hits = all.filter(function (g) {\n"
    "      var hit = re && re.test(g.getAttribute('data-n'));\n"
    "      g.classList.toggle('hit', !!hit); g.classList.toggle('miss', !!re && !hit);\n"
    "      return hit;\n"
    "    });\n"
    "    hits.sort(function (a, b) { return num(a, 'x') - num(b, 'x') || num(a, 'd') - num(b, 'd'); });\n"
    "    hits.forEach(function (g) {\n"
    "      if (num(g, 'x') >= last - 0.01) { sum += num(g, 'w'); last = num(g, 'x') + num(g, 'w'); }\n"
    "    });\n"
    "    document.getElementById('found').textContent = re ? 'matched: ' + (100 * sum / W).toFixed(2) + '%%' : '';\n"
    "  }\n"
    "  document.documentElement.addEventListener('click', function (e) {\n"
    "    var g = e.target; while (g && g.classList && !g.classList.contains('f') && g.id !== 'reset' && g.id !== 'search') g = g.parentNode;\n"
    "    if (!g || !g.classList) return;\n"
    "    if (g.id === 'reset') zoom(null);\n"
    "    else if (g.id === 'search') search(prompt('regular expression, empty for none') || '');\n"
    "    else zoom(g);\n"
    "  });\n"
    "  addEventListener('keydown', function (e) {\n"
    "    if (e.key === 'Escape') { zoom(null); search(''); }\n"
    "    if ((e.ctrlKey && e.key === 'f') || e.key === '/') { e.preventDefault(); search(prompt('regular expression') || ''); }\n"
    "  });\n"
    "})();\n"
    "]]></script>\n";

void flame_write(const struct node *root, const struct flame *how, FILE *f)
{
    struct drawing d = { .how = how, .f = f, .side = how->sides - 1 };

    d.whole = root->total[d.side];
    d.before = root->total[0] ? (double)root->total[1] / (double)root->total[0] : 0;
    d.scale = d.whole ? (WIDTH - 2 * MARGIN) / (double)d.whole : 0;
    d.height = HEAD + FOOT + ROW * tree_depth(root);
    put_head(&d);
    put_frames(&d, root, MARGIN, 0);
    fprintf(f, "<text class=\"sub\" x=\"%.0f\" y=\"%.0f\">click: zoom, / or Ctrl-F: search, Escape: back"
            "; %" PRIu64 " frames too narrow to draw</text>\n", MARGIN, d.height - 8, d.left_out);
    fprintf(f, script, WIDTH - 2 * MARGIN, MARGIN, CHARACTER);
    fputs("</svg>\n", f);
}
