set terminal svg size 860,757 font "DejaVu Sans,11" background "white"
set output "fast.svg"
data = "fast.csv"
caption = "instruction time, 1 CPU; QEMU 1:7.2+dfsg-7+deb12u18+b3, Xen 4.17.7+13-g2445b30a44-0+deb12u1, Radon 15117652a72c, rbench fca0d792839b, 2026-11-29"
rows = 33
low = 0.355581; high = 7.40045
have_radon = 1
have_xen = 1
have_emulation = 0
have_radon_fast = 1
# SPDX-License-Identifier: MIT
# Time of each row in terms of native Linux: one line a row, one mark a column.
# Set before: terminal, output, data, rows, low, high, caption, have_radon, have_xen,
# have_emulation, have_radon_fast.
# Colours: Okabe and Ito's palette; each column has a shape of its own as well.

set datafile separator ","
set datafile missing "NaN"
set logscale x
set xrange [low : high]
set xlabel "time in terms of native Linux (1.0; less is better, log scale)"
set yrange [rows + 0.6 : 0.4]
set ytics scale 0 font ",10" noenhanced
set xtics nomirror (0.1, 0.2, 0.5, 1, 1.5, 2, 3, 4, 5, 7, 10, 20, 50, 100, 200, 500, 1000)
set grid ytics xtics linetype 1 linecolor rgb "#dddddd"
set border 3 linecolor rgb "#333333"
# As many columns as there are titles, each as wide as the longest: they are short, and go over the whole width.
set key at screen 0.5, screen 0.985 center top horizontal maxrows 1 samplen 1 font ",10"
set tmargin 3
set arrow from 1, graph 0 to 1, graph 1 nohead linewidth 1.5 linecolor rgb "#000000" back
set label 1 caption at screen 0.5, screen 0 center offset 0, 0.6 font ",8" noenhanced
set bmargin 5

shown(have, value) = have ? value : NaN

plot data using 7:1:ytic(2) every ::1 with points \
         pointtype 12 pointsize 1.6 linewidth 1.5 linecolor rgb "#777777" \
         title "Xen 2003 (paper)", \
     data using (shown(have_xen, column(4))):1 every ::1 with points \
         pointtype 5 pointsize 1.4 linecolor rgb "#D55E00" title (have_xen ? "Xen 4.17" : ""), \
     data using (shown(have_radon, column(3))):1 every ::1 with points \
         pointtype 7 pointsize 1.5 linecolor rgb "#0072B2" title (have_radon ? "Radon" : ""), \
     data using (shown(have_radon_fast, column(6))):1 every ::1 with points \
         pointtype 13 pointsize 1.0 linecolor rgb "#CC79A7" title (have_radon_fast ? "Radon, handlers" : ""), \
     data using (shown(have_emulation, column(5))):1 every ::1 with points \
         pointtype 9 pointsize 1.6 linecolor rgb "#009E73" title (have_emulation ? "emulation" : "")
