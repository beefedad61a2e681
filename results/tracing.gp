set terminal svg size 860,404 font "DejaVu Sans,11" background "white"
set output "tracing.svg"
data = "tracing.csv"
caption = "instruction time, 1 CPU; QEMU 1:7.2+dfsg-7+deb12u18+b3, Xen 4.17.7+13-g2445b30a44-0+deb12u1, Radon b837b8236ea3, rbench fca0d792839b, 2026-11-29"
rows = 9
low = 0.98; high = 1.38351
have_radon_sampled = 1
have_radon_exact = 1
have_radon_pv = 1
have_radon_own = 1
have_xen_pv = 1
# SPDX-License-Identifier: MIT
# Time of each row while something observes, in terms of the same hypervisor with nothing observed.
# Set before: terminal, output, data, rows, low, high, caption, and have_NAME of each series.
# Colours: Okabe and Ito's palette; each series has a shape of its own as well.

set datafile separator ","
set datafile missing "NaN"
set xrange [low : high]
set xlabel "time in terms of the same hypervisor with everything off (1.0; less is better)"
set yrange [rows + 0.6 : 0.4]
set ytics scale 0 font ",10" noenhanced
set xtics nomirror
set grid ytics xtics linetype 1 linecolor rgb "#dddddd"
set border 3 linecolor rgb "#333333"
set key outside top center horizontal samplen 1 spacing 1.1 font ",10"
set arrow from 1, graph 0 to 1, graph 1 nohead linewidth 1.5 linecolor rgb "#000000" back
set label 1 caption at screen 0.5, screen 0 center offset 0, 0.6 font ",8" noenhanced
set bmargin 5

shown(have, value) = have ? value : NaN

plot data using (shown(have_xen_pv, column(7))):1:ytic(2) every ::1 with points \
         pointtype 5 pointsize 1.4 linecolor rgb "#D55E00" \
         title (have_xen_pv ? "Xen: PV events, xentrace" : ""), \
     data using (shown(have_radon_pv, column(5))):1 every ::1 with points \
         pointtype 4 pointsize 1.6 linewidth 2 linecolor rgb "#0072B2" \
         title (have_radon_pv ? "Radon: PV events, xentrace" : ""), \
     data using (shown(have_radon_own, column(6))):1 every ::1 with points \
         pointtype 9 pointsize 1.6 linecolor rgb "#009E73" \
         title (have_radon_own ? "Radon: own rings, all events" : ""), \
     data using (shown(have_radon_exact, column(4))):1 every ::1 with points \
         pointtype 7 pointsize 1.3 linecolor rgb "#CC79A7" \
         title (have_radon_exact ? "Radon: hot sites, exact" : ""), \
     data using (shown(have_radon_sampled, column(3))):1 every ::1 with points \
         pointtype 1 pointsize 1.5 linewidth 2 linecolor rgb "#000000" \
         title (have_radon_sampled ? "Radon: hot sites, sampled" : "")
