"""Column numbers of the arrays that kernels read and write. One place, so that nobody counts columns."""

# theta: (patient, parameter), the order of pkmodel.structure.PARAMETERS
CL, V1, Q, V2, KA, F, LAG = range(7)
N_THETA = 7
# further columns of models that need more: third compartment, saturable elimination, zero-order absorption
Q3, V3, VMAX, KM, D1 = range(7, 12)
N_THETA_WIDE = 12

# state: (patient, column)
A_DEPOT = 0  # mg
A_CENTRAL = 1  # mg, total drug (free + bound to antibody)
A_PERIPHERAL = 2  # mg
A_ANTIBODY = 3  # mg of drug-binding capacity in the central volume
PRODUCTION = 4  # antibody production R, mg/L/d
DRIVE = 5  # u, 1 at onset, wanes in transient patients
EFFECT = 6  # effect E, 0..1
ONSET_HAZARD = 7  # accumulated H
LOSS_HAZARD = 8  # accumulated hazard of loss of response
RATE = 9  # running infusions, mg/d
RUNNING = 10  # how many infusions run (so that the rate returns to exactly 0)
STEROID = 11  # multiplier on the onset hazard since the last dose
COTHERAPY = 12  # strength of the immunomodulator, 0..1
OCCASION = 13  # factor on CL of the current dosing occasion (IOV)
MEMORY = 14  # factor on tau_rise: 1, or memory_factor after re-exposure
ONSET_TIME = 15  # d, inf before onset
LOSS_TIME = 16  # d, inf while response lasts
LOSS_TARGET = 17  # LOSS_HAZARD at which response is lost; inf until response is assessed
BELOW_SINCE = 18  # d since when the effect is below that of relapse; inf while above
STEP = 19  # integrator step, d
LAST_INPUT = 20  # d, last time the drug input changed
FIRST_DRUG = 21  # d, first time drug came in; inf before
N_STATE = 22
# one further column where the disposition is integrated (pkmodel.kernels.walk)
A_PERIPHERAL_2 = 22  # mg
N_STATE_WIDE = 23

# subject: (patient, column), drawn once per patient
ONSET_THRESHOLD = 0  # E / (Z m_hla); inf: this patient never makes antibody
R_MAX = 1  # mg/L/d
DRIVE_RATE = 2  # 1/d, 0 for persistent antibody
LOG_EC50 = 3  # logarithm of the patient's own EC50, mg/L
N_SUBJECT = 4

# immune: one row for everybody
(
    H0,
    C_AG,
    C_TOL,
    GAMMA,
    TAU_R,
    K_ADA,
    K_EXTRA,
    KSS,
    IMM_ONSET,
    IMM_PRODUCTION,
    IMM_CLEARANCE,
    MEMORY_FACTOR,
    WANING,
    TAU_RISE,
) = range(14)
N_IMMUNE = 14

# response: one row for everybody
K_EFFECT, HILL, LAMBDA_MECH, LAMBDA_PK, E_RELAPSE = range(5)
N_RESPONSE = 5

# event kinds
BOLUS, RATE_CHANGE, DEPOT, COTHERAPY_SET, STEROID_SET, OCCASION_SET, PARAMETERS_SET, NOTHING = range(8)

# status codes, one per patient
OK, STEP_TOO_SMALL, TOO_MANY_STEPS, NOT_FINITE = range(4)
