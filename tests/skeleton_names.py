"""What other programs call the joints of our body: the left side and the middle, as their files have them."""

ORDER = (
    "pelvis", "spine1", "spine2", "spine3", "neck", "head", "left_collar", "left_shoulder", "left_elbow", "left_wrist",
    "left_hip", "left_knee", "left_ankle", "left_foot",
)  # fmt: skip
FAMILIES = {
    "vroid": "J_Bip_C_Hips J_Bip_C_Spine J_Bip_C_Chest J_Bip_C_UpperChest J_Bip_C_Neck J_Bip_C_Head J_Bip_L_Shoulder "
    "J_Bip_L_UpperArm J_Bip_L_LowerArm J_Bip_L_Hand J_Bip_L_UpperLeg J_Bip_L_LowerLeg J_Bip_L_Foot J_Bip_L_ToeBase",
    "unity": "Hips Spine Chest UpperChest Neck Head LeftShoulder LeftUpperArm LeftLowerArm LeftHand LeftUpperLeg "
    "LeftLowerLeg LeftFoot LeftToes",
    "vrm": "hips spine chest upperChest neck head leftShoulder leftUpperArm leftLowerArm leftHand leftUpperLeg "
    "leftLowerLeg leftFoot leftToes",
    "second life": "mPelvis mSpine1 mTorso mChest mNeck mHead mCollarLeft mShoulderLeft mElbowLeft mWristLeft mHipLeft "
    "mKneeLeft mAnkleLeft mFootLeft",
    "poser": "hip abdomen chest chest2 neck head lCollar lShldr lForeArm lHand lThigh lShin lFoot lToe",
    "poser long": "Hip Abdomen Chest Chest2 Neck Head LeftCollar LeftShldr LeftForeArm LeftHand LeftThigh LeftShin "
    "LeftFoot LeftToe",
    "daz": "hip abdomenLower abdomenUpper chestLower neckLower head lCollar lShldrBend lForearmBend lHand lThighBend "
    "lShin lFoot lToe",
    "daz 9": "hip spine1 spine2 spine3 neck1 head l_shoulder l_upperarm l_forearm l_hand l_thigh l_shin l_foot l_toes",
    "optitrack": "Skel:Hip Skel:Ab Skel:Ab2 Skel:Chest Skel:Neck Skel:Head Skel:LShoulder Skel:LUArm Skel:LFArm "
    "Skel:LHand Skel:LThigh Skel:LShin Skel:LFoot Skel:LToe",
    "rigify": "DEF-spine DEF-spine.001 DEF-spine.002 DEF-spine.003 DEF-spine.004 DEF-spine.006 DEF-shoulder.L "
    "DEF-upper_arm.L DEF-forearm.L DEF-hand.L DEF-thigh.L DEF-shin.L DEF-foot.L DEF-toe.L",
    "makehuman": "root spine05 spine03 spine01 neck01 head clavicle.L upperarm01.L lowerarm01.L wrist.L upperleg01.L "
    "lowerleg01.L foot.L toe1-1.L",
    "unreal": "pelvis spine_01 spine_02 spine_03 neck_01 head clavicle_l upperarm_l lowerarm_l hand_l thigh_l calf_l "
    "foot_l ball_l",
    "maya": "QuickRigCharacter_Hips QuickRigCharacter_Spine QuickRigCharacter_Spine1 QuickRigCharacter_Spine2 "
    "QuickRigCharacter_Neck QuickRigCharacter_Head QuickRigCharacter_LeftShoulder QuickRigCharacter_LeftArm "
    "QuickRigCharacter_LeftForeArm QuickRigCharacter_LeftHand QuickRigCharacter_LeftUpLeg QuickRigCharacter_LeftLeg "
    "QuickRigCharacter_LeftFoot QuickRigCharacter_LeftToeBase",
    "maya namespaces": "a:b:Hips a:b:Spine a:b:Spine1 a:b:Spine2 a:b:Neck a:b:Head a:b:LeftShoulder a:b:LeftArm "
    "a:b:LeftForeArm a:b:LeftHand a:b:LeftUpLeg a:b:LeftLeg a:b:LeftFoot a:b:LeftToeBase",
    "sketchfab": "mixamorig:Hips_01 mixamorig:Spine_02 mixamorig:Spine1_03 mixamorig:Spine2_04 mixamorig:Neck_05 "
    "mixamorig:Head_06 mixamorig:LeftShoulder_08 mixamorig:LeftArm_09 mixamorig:LeftForeArm_010 "
    "mixamorig:LeftHand_011 mixamorig:LeftUpLeg_055 mixamorig:LeftLeg_056 mixamorig:LeftFoot_057 "
    "mixamorig:LeftToeBase_058",
    "kinect": "SpineBase SpineMid SpineMid2 SpineShoulder Neck Head CollarLeft ShoulderLeft ElbowLeft WristLeft "
    "HipLeft KneeLeft AnkleLeft FootLeft",
    "azure kinect": "PELVIS SPINE_NAVAL SPINE_NAVAL2 SPINE_CHEST NECK HEAD CLAVICLE_LEFT SHOULDER_LEFT ELBOW_LEFT "
    "WRIST_LEFT HIP_LEFT KNEE_LEFT ANKLE_LEFT FOOT_LEFT",
    "rokoko": "Hips Spine1 Spine2 Spine3 Neck Head LeftShoulder LeftArm LeftForeArm LeftHand LeftThigh LeftShin "
    "LeftFoot LeftToe",
    "bandai namco": "Hips Spine Chest Chest2 Neck Head Shoulder_L UpperArm_L LowerArm_L Hand_L UpperLeg_L LowerLeg_L "
    "Foot_L Toes_L",
    "iclone": "CC_Base_Hip CC_Base_Waist CC_Base_Spine01 CC_Base_Spine02 CC_Base_NeckTwist01 CC_Base_Head "
    "CC_Base_L_Clavicle CC_Base_L_Upperarm CC_Base_L_Forearm CC_Base_L_Hand CC_Base_L_Thigh CC_Base_L_Calf "
    "CC_Base_L_Foot CC_Base_L_ToeBase",
    "acclaim": "root lowerback upperback thorax lowerneck head lclavicle lhumerus lradius lwrist lfemur ltibia lfoot "
    "ltoes",
    "smpl fbx": "m_avg_Pelvis m_avg_Spine1 m_avg_Spine2 m_avg_Spine3 m_avg_Neck m_avg_Head m_avg_L_Collar "
    "m_avg_L_Shoulder m_avg_L_Elbow m_avg_L_Wrist m_avg_L_Hip m_avg_L_Knee m_avg_L_Ankle m_avg_L_Foot",
    "soma": "Hips Spine1 Spine2 Chest Neck1 Head LeftShoulder LeftArm LeftForeArm LeftHand LeftLeg LeftShin LeftFoot "
    "LeftToeBase",
    "vrchat": "Hips Spine Chest Upper_Chest Neck Head Left_shoulder Left_arm Left_elbow Left_wrist Left_leg Left_knee "
    "Left_ankle Left_toe",
    "arkit": "hips_joint spine_1_joint spine_2_joint spine_7_joint neck_1_joint head_joint left_shoulder_1_joint "
    "left_arm_joint left_forearm_joint left_hand_joint left_upLeg_joint left_leg_joint left_foot_joint "
    "left_toes_joint",
    "xsens": "Pelvis L5 L3 T8 Neck Head LeftShoulder LeftUpperArm LeftForeArm LeftHand LeftUpperLeg LeftLowerLeg "
    "LeftFoot LeftToe",
    "valve": "ValveBiped.Bip01_Pelvis ValveBiped.Bip01_Spine ValveBiped.Bip01_Spine1 ValveBiped.Bip01_Spine2 "
    "ValveBiped.Bip01_Neck1 ValveBiped.Bip01_Head1 ValveBiped.Bip01_L_Clavicle ValveBiped.Bip01_L_UpperArm "
    "ValveBiped.Bip01_L_Forearm ValveBiped.Bip01_L_Hand ValveBiped.Bip01_L_Thigh ValveBiped.Bip01_L_Calf "
    "ValveBiped.Bip01_L_Foot ValveBiped.Bip01_L_Toe0",
}
SPACED = {  # 3ds Max Biped, with spaces
    "biped": "Bip01 Pelvis|Bip01 Spine|Bip01 Spine1|Bip01 Spine2|Bip01 Neck|Bip01 Head|Bip01 L Clavicle|"
    "Bip01 L UpperArm|Bip01 L Forearm|Bip01 L Hand|Bip01 L Thigh|Bip01 L Calf|Bip01 L Foot|Bip01 L Toe0",
    "biped 001": "Bip001 Pelvis|Bip001 Spine|Bip001 Spine1|Bip001 Spine2|Bip001 Neck|Bip001 Head|Bip001 L Clavicle|"
    "Bip001 L UpperArm|Bip001 L Forearm|Bip001 L Hand|Bip001 L Thigh|Bip001 L Calf|Bip001 L Foot|Bip001 L Toe0",
}


def names_of(family):
    """The family's names of the left and the middle, by our joints."""
    row = FAMILIES[family].split() if family in FAMILIES else SPACED[family].split("|")
    return dict(zip(ORDER, row, strict=True))
